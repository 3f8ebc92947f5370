import type { BatchHeader } from '@fleetlog/shared/batch';
import { ChunkBuffer } from '../export/chunks.js';
import { IsoWriter } from '../export/iso-time.js';
import type { Records, TimedColumns } from '../export/records.js';
import type { Index } from '../index/index.js';
import type { Catalogue } from '../signals/catalogue/index.js';
import { ColumnDecoder } from '../signals/column-decoder.js';
import type { Series } from '../signals/decode/decoder.js';
import { streamSignals } from '../signals/directory.js';
import type { RecordedSignals } from '../signals/recorded-signals.js';
import { fullName, type StreamSignal } from '../signals/stream-signal.js';
import type { Clock } from '@fleetlog/shared/util';

export interface SignalLinesParts {
  catalogue: Catalogue;
  recorded: RecordedSignals;
  index: Pick<Index, 'caughtUp'>;
  clock: Clock;
}

/** What is known of a stream's signals, for as long as the catalogue doesn't change. */
interface Known {
  revision: number;
  sinceUs: number;
  /** Names as JSON, and what a signal is at different times. */
  columns: { name: string; meanings: readonly StreamSignal[] }[];
  decoder: ColumnDecoder;
}

/** Signals that need no database are found in what was recorded, which grows. */
const validUs = 60_000_000;
const catchUpMs = 5000;
const streamsMax = 1000;

/**
 * The values in batches, as NDJSON: a line for each, in the order of time within a batch, with the database that applies
 * to its gateway, stream and time. A message of several frames comes with the batch that its last frame is in, if its reader was there from its first.
 */
export class SignalLines {
  /** In the order of their last use. */
  private readonly streams = new Map<string, Known>();
  private readonly iso = new IsoWriter();

  constructor(private readonly parts: SignalLinesParts) {}

  /** Chunks belong to the caller. Errors: those of the catalogue. */
  async *format({ gateway, stream }: BatchHeader, records: Records): AsyncGenerator<Uint8Array> {
    const { columns, decoder } = await this.known(gateway, stream);
    if (columns.length === 0) return;
    const head = `{"gateway":${JSON.stringify(gateway)},"stream":${JSON.stringify(stream)},"time":"`;
    const out = new ChunkBuffer();
    const values: Value[] = [];
    for (const [from, to] of ascendingRuns(records.columns)) {
      for (const series of decoder.decode(records, from, to)) collect(series, values);
    }
    // A position that the next batch might add to is said now: this one may be committed, and never come again.
    for (const series of decoder.finish()) collect(series, values);
    values.sort((one, other) => one.timeUs - other.timeUs || one.column - other.column);
    for (const { timeUs, column, value } of values) {
      const { name, meanings } = columns[column];
      const { unit, labels } = meanings.find((one) => isValid(one, timeUs)) ?? meanings[0];
      const label = labels?.get(value);
      const what = `${field('unit', unit || undefined)}${field('label', label)}`;
      const line = `${head}${this.iso.text(timeUs)}",${name}${JSON.stringify(value)}${what}}\n`;
      yield* out.add(Buffer.from(line));
    }
    yield* out.take();
  }

  private async known(gateway: string, stream: string): Promise<Known> {
    const { catalogue, recorded, index, clock } = this.parts;
    const key = `${gateway}/${stream}`;
    const before = this.streams.get(key);
    this.streams.delete(key);
    const nowUs = clock.monotonicUs();
    if (before && before.revision === catalogue.revision && nowUs - before.sinceUs < validUs) {
      this.streams.set(key, before);
      return before;
    }
    const { revision } = catalogue;
    // The batch may be newer than what the index knows of its stream.
    await index.caughtUp(AbortSignal.timeout(catchUpMs)).catch(() => undefined);
    const byName = new Map<string, StreamSignal[]>();
    for (const signal of await streamSignals({ catalogue, recorded }, { gateway, stream })) {
      const same = byName.get(fullName(signal));
      if (same) same.push(signal);
      else byName.set(fullName(signal), [signal]);
    }
    const names = [...byName.keys()];
    // A decoder that has begun a message goes on with it, where nothing has changed.
    const isSame =
      before?.revision === revision &&
      names.length === before.columns.length &&
      names.every((name, i) => before.columns[i].name === nameField(name));
    const columns = Array.from(byName, ([name, meanings]) => ({ name: nameField(name), meanings }));
    const decoder = isSame ? before.decoder : new ColumnDecoder([...byName.values()]);
    const known = { revision, sinceUs: nowUs, columns, decoder };
    this.streams.set(key, known);
    for (const oldest of this.streams.keys()) {
      if (this.streams.size <= streamsMax) break;
      this.streams.delete(oldest);
    }
    return known;
  }
}

const nameField = (name: string): string => `"signal":${JSON.stringify(name)},"value":`;

const field = (name: string, text: string | undefined): string =>
  text === undefined ? '' : `,"${name}":${JSON.stringify(text)}`;

const isValid = ({ fromUs = -Infinity, toUs = Infinity }: StreamSignal, timeUs: number): boolean =>
  fromUs <= timeUs && timeUs < toUs;

/** Parts of a batch within which times don't go back. */
function* ascendingRuns({ count, timeOffsetUs }: TimedColumns): Generator<[from: number, to: number]> {
  let from = 0;
  for (let i = 1; i <= count; i++) {
    if (i < count && timeOffsetUs[i] >= timeOffsetUs[i - 1]) continue;
    yield [from, i];
    from = i;
  }
}

interface Value {
  timeUs: number;
  column: number;
  value: number;
}

function collect(series: readonly Series[], into: Value[]): void {
  for (const [column, { count, times, values }] of series.entries()) {
    for (let i = 0; i < count; i++) into.push({ timeUs: times[i], column, value: values[i] });
  }
}
