import type { Bucket } from './aggregator.js';
import { foldCell, putAggregate, suffixesOf, type Aggregate, type Cell } from './cell.js';
import { ColumnSums } from './column-sums.js';
import type { ColumnSource, RowSource } from './row-source.js';

/** How spans without values are told: one empty row for each, an empty row for each bucket, or not at all. */
export const gapModes = ['mark', 'fill', 'skip'] as const;
export type GapMode = (typeof gapModes)[number];

export interface BucketOptions {
  everyUs: number;
  aggregate: Aggregate;
  gaps: GapMode;
  /** What the buckets cover: a first and a last one may be cut. */
  fromUs: number;
  toUs: number;
  columns: number;
}

/** One source's columns on their way into buckets. */
class BucketSource {
  /** Buckets before this are finished. */
  frontierUs = -Infinity;
  readonly sums: ColumnSums;

  constructor(
    private readonly source: ColumnSource,
    readonly columns: readonly number[],
    private readonly everyUs: number,
  ) {
    this.sums = new ColumnSums(columns.length, everyUs);
  }

  async advance(): Promise<void> {
    const { done, value } = await this.source.next();
    const untilUs = done ? Infinity : this.sums.add(value);
    const frontierUs = Math.floor(untilUs / this.everyUs) * this.everyUs;
    if (frontierUs <= this.frontierUs) return;
    this.frontierUs = frontierUs;
    this.sums.passed(frontierUs);
  }
}

/**
 * A row for each bucket of time, in the order of time; all sources on one axis. Sources that fill the same column do so
 * one after the other in time. The row holds until the next call.
 */
export class BucketRows implements RowSource {
  readonly row: (number | undefined)[];
  private readonly sources: BucketSource[];
  /** By column: the finished buckets of each source that fills it, in the order in which they come in time. */
  private readonly queues: Bucket[][][];
  private readonly width: number;
  private nextUs: number;
  private isInGap = false;

  constructor(
    sources: readonly { source: ColumnSource; columns: readonly number[] }[],
    private readonly options: BucketOptions,
  ) {
    const { everyUs, aggregate, columns, fromUs } = options;
    this.width = suffixesOf(aggregate).length;
    this.row = Array.from({ length: this.width * columns }, () => undefined);
    this.sources = sources.map(({ source, columns: own }) => new BucketSource(source, own, everyUs));
    this.queues = Array.from({ length: columns }, () => []);
    for (const source of this.sources) {
      for (const [k, column] of source.columns.entries()) {
        this.queues[column].push(source.sums.aggregators[k].finished);
      }
    }
    this.nextUs = Math.floor(fromUs / everyUs) * everyUs;
  }

  next(): number | Promise<number> {
    const { everyUs, gaps, toUs } = this.options;
    for (;;) {
      if (this.nextUs >= toUs) return Infinity;
      let behind: BucketSource | undefined;
      for (const source of this.sources) {
        if (source.frontierUs <= this.nextUs && (!behind || source.frontierUs < behind.frontierUs)) {
          behind = source;
        }
      }
      if (behind) return this.advanced(behind);
      const startUs = this.nextUs;
      const firstUs = this.firstFinished();
      if (firstUs > startUs) {
        const isShown = gaps === 'fill' || (gaps === 'mark' && !this.isInGap);
        this.isInGap = true;
        this.nextUs = gaps === 'fill' ? startUs + everyUs : firstUs;
        if (!isShown) continue;
      } else {
        this.isInGap = false;
        this.nextUs = startUs + everyUs;
      }
      this.fill(startUs);
      return startUs;
    }
  }

  private async advanced(source: BucketSource): Promise<number> {
    await source.advance();
    return this.next();
  }

  /** Start of the first finished bucket; where there is none, of the first that isn't known yet. */
  private firstFinished(): number {
    let firstUs = this.options.toUs;
    for (const { frontierUs } of this.sources) if (frontierUs < firstUs) firstUs = frontierUs;
    for (const queue of this.queues.flat())
      if (queue.length > 0 && queue[0].startUs < firstUs) firstUs = queue[0].startUs;
    return firstUs;
  }

  private fill(startUs: number): void {
    const { aggregate } = this.options;
    for (const [column, queues] of this.queues.entries()) {
      let whole: Cell | undefined;
      for (const queue of queues) {
        if (queue.length === 0 || queue[0].startUs !== startUs) continue;
        const { cell } = queue.shift()!;
        if (whole) foldCell(whole, cell);
        else whole = cell;
      }
      putAggregate(whole, aggregate, this.row, column * this.width);
    }
  }
}
