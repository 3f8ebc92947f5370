import type { StreamKind } from '@fleetlog/shared/batch';
import type { CanFrames, FrameChoice } from '@fleetlog/shared/can';
import type { Records } from '../export/records.js';
import type { Series } from './decode/decoder.js';
import { LineDecoder } from './gps/line-decoder.js';
import { SampleDecoder } from './samples/sample-decoder.js';
import { StreamDecoder } from './stream-decoder.js';
import type { StreamSignal } from './stream-signal.js';

/** Decodes columns of signals out of the records of one stream, each kind of records by its own rules. */
export class ColumnDecoder {
  /** Other records hold none of the signals. */
  readonly kinds: readonly StreamKind[];
  private readonly can: StreamDecoder;
  private readonly lines: LineDecoder;
  private readonly samples: SampleDecoder;

  /** By column, what a signal is at different times. */
  constructor(columns: readonly (readonly StreamSignal[])[]) {
    this.kinds = [...new Set(columns.flat().map(({ kind }) => kind))];
    this.can = new StreamDecoder(columns.map((column) => column.filter((one) => one.kind === 'can')));
    this.lines = new LineDecoder(columns.map((column) => column.find((one) => one.kind === 'lines')));
    this.samples = new SampleDecoder(
      columns.map((column) => column.find((one) => one.kind === 'samples')?.name),
    );
  }

  /** Of CAN: which bytes of which frames may say something. */
  get wants(): FrameChoice {
    return this.can.wants;
  }

  /** Whether each value comes from one frame of CAN. */
  get isOfSingleFrames(): boolean {
    return this.kinds.every((kind) => kind === 'can') && !this.can.needsTransport;
  }

  /** Of CAN: see `StreamDecoder`. */
  areSeparate(ids: readonly number[]): boolean {
    return this.can.areSeparate(ids);
  }

  decodeSeparate(lists: readonly CanFrames[]): Generator<Series[]> {
    return this.can.decodeSeparate(lists);
  }

  /** Whether each record is decoded by itself: a range in parts gives what it gives as a whole. */
  get isStateless(): boolean {
    return !this.kinds.includes('lines') && !this.can.needsTransport;
  }

  /**
   * What the records `[from, to)`, which are in the order of time, say: of each column a series, which holds until the
   * next is taken. Several answers where the signals' meaning changes.
   */
  *decode(records: Records, from: number, to: number): Generator<Series[]> {
    if (records.kind === 'can') yield* this.can.decode(records.columns, from, to);
    else if (records.kind === 'lines') yield* this.lines.decode(records.columns, from, to);
    else if (records.kind === 'samples') yield* this.samples.decode(records.columns, from, to);
  }

  /** No more records come for now: what waited for them. */
  *finish(): Generator<Series[]> {
    yield* this.lines.finish();
  }
}
