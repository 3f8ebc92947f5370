import { Aggregator } from './aggregator.js';
import type { ColumnPart } from './row-source.js';

/** Sums up several columns, part by part. */
export class ColumnSums {
  readonly aggregators: readonly Aggregator[];

  constructor(columns: number, everyUs: number) {
    this.aggregators = Array.from({ length: columns }, () => new Aggregator(everyUs));
  }

  /** Returns a time before which nothing more comes of any column. */
  add(part: ColumnPart): number {
    if ('cells' in part) {
      const { cells, spanUs, untilUs } = part;
      for (const [k, own] of cells.entries()) {
        for (const { startUs, cell } of own) this.aggregators[k].addCell(startUs, spanUs, cell);
      }
      return untilUs;
    }
    let lastUs = -Infinity;
    for (const [k, { times, values, count }] of part.series.entries()) {
      this.aggregators[k].add(times, values, count);
      if (count > 0 && times[count - 1] > lastUs) lastUs = times[count - 1];
    }
    return lastUs;
  }

  passed(timeUs: number): void {
    for (const aggregator of this.aggregators) aggregator.passed(timeUs);
  }
}
