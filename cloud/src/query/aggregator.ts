import { emptyCell, foldCell, type Cell } from './cell.js';

const secondUs = 1_000_000;
/** Lengths of the cells that are folded into longer ones, and that may be kept, µs. */
export const steps = [secondUs, 60 * secondUs, 3600 * secondUs] as const;

/** One bucket of one signal. */
export interface Bucket {
  startUs: number;
  cell: Cell;
}

/**
 * Sums up the values of one signal in buckets of `everyUs`, which begin at its multiples since 1970. Longer buckets are
 * made of hours, minutes and seconds where they are multiples of these, always: so a sum is the same number to the last
 * digit whether it is made of values or of cells that were kept.
 */
export class Aggregator {
  /** Buckets that are finished and have values, by time; the owner takes them away. */
  readonly finished: Bucket[] = [];
  private readonly spans: number[];
  private readonly cells: Cell[];
  private readonly ends: number[];

  constructor(everyUs: number) {
    this.spans = [...steps.filter((step) => step < everyUs && everyUs % step === 0), everyUs];
    this.cells = this.spans.map(emptyCell);
    this.ends = this.spans.map(() => -Infinity);
  }

  /** Values behind all that were added before, by time. */
  add(times: Float64Array, values: Float64Array, count: number): void {
    const [cell] = this.cells;
    let [endUs] = this.ends;
    for (let i = 0; i < count; i++) {
      const value = values[i];
      if (value !== value) continue; // NaN
      if (times[i] >= endUs) {
        this.roll(times[i]);
        [endUs] = this.ends;
      }
      if (cell.count++ === 0) {
        cell.first = value;
        cell.min = value;
        cell.max = value;
        cell.sum = value;
      } else {
        if (value < cell.min) cell.min = value;
        if (value > cell.max) cell.max = value;
        cell.sum += value;
      }
      cell.last = value;
    }
  }

  /** A whole cell of `spanUs`, which is one of `steps` or `everyUs`, behind all that was added before. */
  addCell(startUs: number, spanUs: number, cell: Cell): void {
    this.roll(startUs);
    foldCell(this.cells[this.spans.indexOf(spanUs)], cell);
  }

  /** Nothing before this time comes any more. */
  passed(timeUs: number): void {
    if (timeUs >= this.ends[this.ends.length - 1]) this.roll(timeUs);
  }

  /** Folds what ends before `timeUs` into what is longer, and begins anew. */
  private roll(timeUs: number): void {
    const { spans, cells, ends } = this;
    for (let level = 0; level < spans.length; level++) {
      if (timeUs < ends[level]) return;
      const cell = cells[level];
      const span = spans[level];
      if (cell.count > 0) {
        if (level + 1 < spans.length) foldCell(cells[level + 1], cell);
        else this.finished.push({ startUs: ends[level] - span, cell: { ...cell } });
        cell.count = 0;
      }
      ends[level] = timeUs === Infinity ? Infinity : Math.floor(timeUs / span) * span + span;
    }
  }
}
