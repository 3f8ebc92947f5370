import type { Series } from '../signals/decode/decoder.js';
import type { Bucket } from './aggregator.js';

/** What is known next of some columns; nothing of it comes before what was told earlier. */
export type ColumnPart =
  | {
      /** By column, each by time. They hold until the next part is taken. */
      series: Series[];
    }
  | {
      /** By column: cells that were kept, each by time. */
      cells: Bucket[][];
      spanUs: number;
      /** They say all there is to say before this time. */
      untilUs: number;
    };

export type ColumnSource = AsyncIterator<ColumnPart, unknown>;

/** Rows in the order of time. */
export interface RowSource {
  readonly row: readonly (number | undefined)[];
  /** Fills `row` and returns its time in µs; a promise where a source has to be waited for; Infinity at the end. */
  next(): number | Promise<number>;
  /** The next rows, in the place of as many calls, where they are at hand and have one column with a value each. */
  nextRun?(rowsMax: number): RowRun | undefined;
}

/** Rows of one column: entries `[from, to)`. They hold until the next call. */
export interface RowRun {
  times: Float64Array;
  values: Float64Array;
  from: number;
  to: number;
}
