import type { BatchHeader } from '@fleetlog/shared/batch';
import { readInteger, readTime } from '@fleetlog/shared/store';
import type { LogEntry } from '../log/log.js';
import type { BatchContext } from './contexts.js';
import { decodeJson, encodeJson } from './json-value.js';
import { NumberReader, packNumbers, toSigned } from './numbers.js';
import type { BatchFacts } from './types.js';

/*
 * value   = context idSet duration delay offset wallOffset uncertainty records bytes rawBytes [ own ]
 * context = number of the stream's; 0 where the batch carries its own
 * idSet   = number of the stream's set of identifiers; 0 where nobody knows
 * duration, delay = last time less first, receive time less last time, µs
 * wallOffset = less the context's, µs
 * own     = JSON of the context
 *
 * `numbers.ts` says how numbers are written. Some twenty bytes, since an index of a day has 86,400 of them per stream.
 */
export interface NumberedContext extends BatchContext {
  number: number;
}

export function encodeFacts(
  header: BatchHeader,
  entry: LogEntry,
  context: NumberedContext,
  idSet: number,
): Uint8Array {
  const { number, ...own } = context;
  const value = packNumbers([
    number,
    idSet,
    header.lastTimeUs - header.firstTimeUs,
    toSigned(entry.receiveTimeUs - header.lastTimeUs),
    entry.offset,
    toSigned(header.clock.wallOffsetUs - context.wallOffsetUs),
    toSigned(header.clock.uncertaintyUs),
    header.recordCount,
    entry.bytes.length,
    header.rawBytes,
  ]);
  return number === 0 ? Buffer.concat([value, encodeJson(own)]) : value;
}

/**
 * `key` is a `batchKey`: its last 20 bytes are first time, rank of the epoch, sequence. Undefined where `opens` says of
 * the batch's set of identifiers that nothing in it is wanted.
 */
export function decodeFacts(
  key: Uint8Array,
  value: Uint8Array,
  contexts: ReadonlyMap<number, BatchContext>,
  opens: (idSet: number) => boolean,
): BatchFacts | undefined {
  const input = new NumberReader(value);
  const number = input.next();
  if (!opens(input.next())) return undefined;
  const at = key.length - 20;
  const firstTimeUs = readTime(key, at);
  const lastTimeUs = firstTimeUs + input.next();
  const receiveTimeUs = lastTimeUs + input.signed();
  const offset = input.next();
  const wallOffsetUs = input.signed();
  const uncertaintyUs = input.signed();
  const [records, bytes, rawBytes] = [input.next(), input.next(), input.next()];
  const context = contexts.get(number) ?? decodeJson<BatchContext>(value.subarray(input.at));
  return {
    firstTimeUs,
    lastTimeUs,
    epoch: context.epoch,
    epochOrder: new DataView(key.buffer, key.byteOffset + at + 8, 4).getUint32(0),
    sequence: readInteger(key, at + 12),
    partition: context.partition,
    offset,
    receiveTimeUs,
    boot: context.boot,
    clock: {
      wallOffsetUs: context.wallOffsetUs + wallOffsetUs,
      state: context.clockState,
      uncertaintyUs,
    },
    origin: context.origin,
    kind: context.kind,
    codec: context.codec,
    records,
    bytes,
    rawBytes,
  };
}

/** What `encodeFacts` made, as far as it needs neither key nor contexts. */
export function lengthsOf(value: Uint8Array): {
  /** Last time less first, µs. */
  durationUs: number;
  /** Receive time less last time, µs. */
  delayUs: number;
  records: number;
  bytes: number;
} {
  const input = new NumberReader(value);
  input.next(); // context
  input.next(); // set of identifiers
  const [durationUs, delayUs] = [input.next(), input.signed()];
  input.next(); // offset
  input.signed(); // wall offset
  input.signed(); // uncertainty
  return { durationUs, delayUs, records: input.next(), bytes: input.next() };
}
