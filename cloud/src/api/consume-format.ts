import { decodeBatch, encodePlain, type BatchHeader } from '@fleetlog/shared/batch';
import { CandumpFormatter } from '@fleetlog/shared/can';
import { isDataError } from '@fleetlog/shared/errors';
import { batchFacts } from '../consumers/batch-facts.js';
import type { ConsumerEvent } from '../consumers/types.js';
import { ChunkBuffer } from '../export/chunks.js';
import { isoMicros } from '../export/iso-time.js';
import { RecordPool, type Records } from '../export/records.js';
import type { TimeCorrection } from '../time/correction.js';
import type { SignalLines } from './signal-lines.js';
import { tailPieces } from './tail-format.js';

export const consumeFormats = ['ndjson', 'cbor'] as const;
export type ConsumeFormat = (typeof consumeFormats)[number];
export const recordFormats = ['ndjson', 'candump', 'signals'] as const;
export type RecordFormat = (typeof recordFormats)[number];

type BatchEvent = Extract<ConsumerEvent, { event: 'batch' }>;

export interface ConsumeFormatOptions {
  format: ConsumeFormat;
  /** Records as text in front of their batch, in the place of the batch's bytes. */
  decode: RecordFormat | undefined;
  correct: ((header: BatchHeader) => Promise<TimeCorrection | undefined>) | undefined;
  /** Whether others read as well, who may want the same bytes. */
  hasCompany: () => boolean;
  /** Writes records that are to come as the values of their signals. */
  signals: SignalLines;
}

const framesPerPiece = 4096;

/**
 * Batches as CBOR items, for as long as somebody has them in memory: the many groups that follow the end of the log get
 * the same bytes.
 */
const encodedBatches = new WeakMap<Uint8Array, Uint8Array>();

/**
 * Events as they go over the wire, in pieces of bounded size. `ndjson`: one object a line; the records of a decoded
 * batch are lines in front of it, and have no `event`. `cbor`: a sequence (RFC 8742) of byte strings, each of which
 * holds one map, so that a reader knows the length of an item before it has come; records come as maps
 * `{event: 'records', text}`. A batch that doesn't decode has an `error`, and its bytes.
 */
export class ConsumeFormatter {
  private readonly pool = new RecordPool();
  private readonly chunks = new ChunkBuffer();

  constructor(private readonly options: ConsumeFormatOptions) {}

  async *format(events: readonly ConsumerEvent[]): AsyncGenerator<Uint8Array> {
    for (const event of events) {
      if (event.event !== 'batch') yield* this.chunks.add(this.encode(event));
      else if (this.options.decode === undefined && this.options.format === 'cbor') {
        yield* this.chunks.add(this.encodeBatch(event));
      } else yield* this.batch(event);
    }
    yield* this.chunks.take();
  }

  private async *batch(event: BatchEvent): AsyncGenerator<Uint8Array> {
    const { decode, correct } = this.options;
    const { bytes, ...place } = event;
    let error: string | undefined;
    let header: BatchHeader | undefined;
    try {
      const batch = decodeBatch(bytes);
      header = batch.header;
      if (decode !== undefined && header.codec !== 'gap-1') {
        const records = this.pool.decodeCorrected(batch, await correct?.(header));
        for await (const text of this.pieces(header, records)) {
          yield* this.chunks.add(
            this.options.format === 'cbor' ? this.encode({ event: 'records', text }) : text,
          );
        }
        this.pool.release(records);
      }
    } catch (failure) {
      if (!isDataError(failure)) throw failure;
      error = failure.code;
    }
    const raw = decode === undefined || error !== undefined;
    if (this.options.format === 'cbor') {
      yield* this.chunks.add(this.encode({ ...place, ...(error && { error }), ...(raw && { bytes }) }));
      return;
    }
    const { receiveTimeUs, ...rest } = place;
    const facts = {
      ...rest,
      receiveTime: isoMicros(receiveTimeUs),
      ...(error && { error }),
      ...(header && batchFacts(header)),
      ...(raw && { bytes: Buffer.from(bytes).toString('base64') }),
    };
    yield* this.chunks.add(this.encode(facts));
  }

  private async *pieces(header: BatchHeader, records: Records): AsyncGenerator<Uint8Array> {
    if (this.options.decode === 'signals') yield* this.options.signals.format(header, records);
    else if (this.options.decode === 'ndjson') yield* tailPieces('ndjson', header, records);
    else if (records.kind === 'can') {
      const candump = new CandumpFormatter();
      const { count } = records.columns;
      for (let from = 0; from < count; from += framesPerPiece) {
        yield candump.format(records.columns, from, Math.min(count, from + framesPerPiece));
      }
    }
  }

  private encodeBatch(event: BatchEvent): Uint8Array {
    if (event.next !== undefined || !this.options.hasCompany()) return this.encode(event);
    let encoded = encodedBatches.get(event.bytes);
    if (!encoded) {
      encoded = Uint8Array.from(this.encode(event)); // the encoder's own is a view into something larger
      encodedBatches.set(event.bytes, encoded);
    }
    return encoded;
  }

  private encode(event: object): Uint8Array {
    if (this.options.format === 'ndjson') return Buffer.from(`${JSON.stringify(event)}\n`);
    return encodePlain(encodePlain(event));
  }
}
