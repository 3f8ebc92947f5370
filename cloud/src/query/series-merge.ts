import type { Series } from '../signals/decode/decoder.js';
import type { ColumnPart, RowRun, RowSource } from './row-source.js';

/** Values of some columns. */
export type SeriesSource = AsyncIterator<Extract<ColumnPart, { series: Series[] }>, unknown>;

/** Walks the series of one source by time. */
class SourceCursor {
  /** Time of the next value; Infinity at the end. */
  timeUs = -Infinity;
  private series: Series[] = [];
  private at: number[] = [];
  private isAtEnd = false;

  constructor(
    private readonly source: SeriesSource,
    /** Columns of the whole that this source fills, in its order. */
    private readonly columns: readonly number[],
  ) {}

  /** Takes the next values that there are, where the ones at hand are used up. */
  async settle(): Promise<void> {
    for (;;) {
      this.timeUs = Infinity;
      for (let k = 0; k < this.series.length; k++) {
        const { count, times } = this.series[k];
        if (this.at[k] < count && times[this.at[k]] < this.timeUs) this.timeUs = times[this.at[k]];
      }
      if (this.timeUs < Infinity) return;
      const { done, value } = await this.source.next();
      if (done) {
        this.isAtEnd = true;
        return;
      }
      this.series = value.series;
      this.at = value.series.map(() => 0);
    }
  }

  /** Whether its next value is at hand, or known not to come. */
  get isSettled(): boolean {
    return this.isAtEnd || (this.timeUs < Infinity && this.timeUs > -Infinity);
  }

  /** Takes all values at hand of its only column, `rowsMax` at most; undefined where there are others, or none. */
  takeRun(rowsMax: number): RowRun | undefined {
    if (this.columns.length !== 1 || !this.isSettled || this.isAtEnd) return undefined;
    const [{ count, times, values }] = this.series;
    const from = this.at[0];
    const to = Math.min(count, from + rowsMax);
    this.at[0] = to;
    this.timeUs = to < count ? times[to] : Infinity;
    return { times, values, from, to };
  }

  /** Moves the values of `timeUs` into the row. */
  take(timeUs: number, row: (number | undefined)[]): void {
    let next = Infinity;
    for (let k = 0; k < this.series.length; k++) {
      const { count, times, values } = this.series[k];
      let at = this.at[k];
      if (at < count && times[at] === timeUs) {
        row[this.columns[k]] = values[at];
        this.at[k] = ++at;
      }
      if (at < count && times[at] < next) next = times[at];
    }
    this.timeUs = next;
  }
}

/**
 * Several sources on one time axis: a row for each time at which some column has a value, in the order of time. Where a
 * column has several values of one time, each has a row. The row holds until the next call.
 */
export class RowMerge implements RowSource {
  readonly row: (number | undefined)[];
  private readonly cursors: SourceCursor[];

  constructor(sources: readonly { source: SeriesSource; columns: readonly number[] }[], columns: number) {
    this.row = Array.from({ length: columns }, () => undefined);
    this.cursors = sources.map(({ source, columns: own }) => new SourceCursor(source, own));
  }

  next(): number | Promise<number> {
    for (const cursor of this.cursors) if (!cursor.isSettled) return this.settled();
    return this.taken();
  }

  nextRun(rowsMax: number): RowRun | undefined {
    return this.row.length === 1 && this.cursors.length === 1 ? this.cursors[0].takeRun(rowsMax) : undefined;
  }

  private async settled(): Promise<number> {
    for (const cursor of this.cursors) if (!cursor.isSettled) await cursor.settle();
    return this.taken();
  }

  private taken(): number {
    const { cursors, row } = this;
    let timeUs = Infinity;
    for (const cursor of cursors) if (cursor.timeUs < timeUs) timeUs = cursor.timeUs;
    for (let column = 0; column < row.length; column++) row[column] = undefined;
    for (const cursor of cursors) if (cursor.timeUs === timeUs) cursor.take(timeUs, row);
    return timeUs;
  }
}
