import { createHash } from 'node:crypto';
import { mixRevisions } from '../index/revisions.js';
import { steps, type Bucket } from '../query/aggregator.js';
import { emptyCell } from '../query/cell.js';
import { ColumnSums } from '../query/column-sums.js';
import type { PlannedStream, TimeRange } from '../query/plan.js';
import type { ColumnPart } from '../query/row-source.js';
import { rangeSeries, type QueryParts } from '../query/stream-series.js';
import type { StreamSignal } from '../signals/stream-signal.js';
import { blockCells, type Block, type KeptCell } from './block.js';
import type { KeptSignal, RollupStore } from './store.js';

const [secondUs, minuteUs, hourUs] = steps;
/** Cells that are looked at together. */
const groupUs = { [secondUs]: hourUs, [minuteUs]: 24 * hourUs, [hourUs]: 60 * hourUs };

export interface RolledParts extends QueryParts {
  rollups: RollupStore;
  nowMs: number;
}

/** Length of the kept cells that buckets of a stream can be made of; undefined where they can't. */
export function rollupStep(everyUs: number, { decoder }: PlannedStream): number | undefined {
  return decoder.isStateless ? steps.findLast((step) => everyUs % step === 0) : undefined;
}

/** What decides what the values of a column are, beside the records. */
const meaningOf = (column: readonly StreamSignal[]): string =>
  createHash('sha256')
    .update(JSON.stringify(column.map(({ version, name, fromUs, toUs }) => [version, name, fromUs, toUs])))
    .digest('hex')
    .slice(0, 32);

/**
 * As `streamSeries`, but cells that are kept are taken where they still hold, and kept where they were missing: what
 * buckets of multiples of `stepUs` make of it is the same, to the last digit. Errors: those of `mergeRecords`.
 */
export async function* rolledSeries(
  parts: RolledParts,
  planned: PlannedStream,
  stepUs: number,
): AsyncGenerator<ColumnPart, undefined> {
  const { gateway, stream, signals } = planned;
  const { rollups, nowMs } = parts;
  const kept: KeptSignal[] = [];
  for (const column of signals) {
    const [{ name }] = column;
    kept.push(await rollups.ask({ gateway, stream, name, meaning: meaningOf(column), askedMs: nowMs }));
  }
  const reader = new CellReader(parts, planned, kept);
  for (const range of planned.ranges) yield* reader.read(range, stepUs);
  return undefined;
}

/** Reads cells of some signals of one stream. */
class CellReader {
  constructor(
    private readonly parts: RolledParts,
    private readonly planned: PlannedStream,
    private readonly kept: readonly KeptSignal[],
  ) {}

  /** Cells where they are whole; what is cut at the ends, in shorter ones. */
  async *read(range: TimeRange, stepUs: number): AsyncGenerator<ColumnPart> {
    const firstUs = Math.ceil(range.fromUs / stepUs) * stepUs;
    const endUs = Math.floor(range.toUs / stepUs) * stepUs;
    if (firstUs >= endUs) {
      yield* this.finer(range, stepUs);
      return;
    }
    yield* this.finer({ fromUs: range.fromUs, toUs: firstUs }, stepUs);
    const length = groupUs[stepUs];
    for (let fromUs = firstUs; fromUs < endUs;) {
      const toUs = Math.min(endUs, Math.floor(fromUs / length) * length + length);
      yield* this.group({ fromUs, toUs }, stepUs);
      fromUs = toUs;
    }
    yield* this.finer({ fromUs: endUs, toUs: range.toUs }, stepUs);
  }

  /** Of hours the minutes, of others the values. */
  private async *finer(range: TimeRange, stepUs: number): AsyncGenerator<ColumnPart> {
    if (range.fromUs >= range.toUs) return;
    if (stepUs === hourUs) yield* this.read(range, minuteUs);
    else yield* rangeSeries(this.parts, this.planned, range);
  }

  /** Whole cells of at most `groupUs`. */
  private async *group({ fromUs, toUs }: TimeRange, stepUs: number): AsyncGenerator<ColumnPart> {
    const revisions = await this.revisions(fromUs, toUs, stepUs);
    const blocks = await this.blocks(fromUs, toUs, stepUs);
    const blockUs = stepUs * blockCells;
    const holds = (at: number): boolean => {
      const revision = revisions[at];
      if (revision === 0) return true;
      const timeUs = fromUs + at * stepUs;
      const place = placeOf(timeUs, stepUs);
      return blocks.get(timeUs - place * stepUs)!.every((block) => block.revision(place) === revision);
    };
    const count = revisions.length;
    for (let at = 0; at < count;) {
      const start = at;
      const isKept = holds(at);
      // What has to be made anew is made in parts, so that none is lost when somebody loses patience.
      const partUs = isKept ? Infinity : Math.max(blockUs, hourUs);
      const partEnd = (Math.floor((fromUs + start * stepUs) / partUs) + 1) * partUs;
      do at++;
      while (at < count && holds(at) === isKept && (isKept || fromUs + at * stepUs < partEnd));
      const part = { fromUs: fromUs + start * stepUs, toUs: fromUs + at * stepUs };
      yield isKept
        ? this.keptCells(part, stepUs, revisions.subarray(start, at), blocks)
        : await this.newCells(part, stepUs, revisions.subarray(start, at));
    }
  }

  private keptCells(
    { fromUs, toUs }: TimeRange,
    stepUs: number,
    revisions: Float64Array,
    blocks: ReadonlyMap<number, readonly Block[]>,
  ): ColumnPart {
    const cells: Bucket[][] = this.kept.map(() => []);
    for (const [i, revision] of revisions.entries()) {
      if (revision === 0) continue;
      const startUs = fromUs + i * stepUs;
      const place = placeOf(startUs, stepUs);
      for (const [k, block] of blocks.get(startUs - place * stepUs)!.entries()) {
        const cell = block.cell(place);
        if (cell.count > 0) cells[k].push({ startUs, cell });
      }
    }
    return { cells, spanUs: stepUs, untilUs: toUs };
  }

  /** Makes cells of what is finer, and keeps them. */
  private async newCells(range: TimeRange, stepUs: number, revisions: Float64Array): Promise<ColumnPart> {
    const sums = new ColumnSums(this.kept.length, stepUs);
    for await (const part of this.finer(range, stepUs)) sums.add(part);
    sums.passed(Infinity);
    const cells = sums.aggregators.map(({ finished }) => finished);
    for (const [k, own] of cells.entries()) {
      const found = new Map(own.map(({ startUs, cell }) => [startUs, cell]));
      const byBlock = new Map<number, KeptCell[]>();
      for (const [i, revision] of revisions.entries()) {
        if (revision === 0) continue;
        const timeUs = range.fromUs + i * stepUs;
        const place = placeOf(timeUs, stepUs);
        const blockUs = timeUs - place * stepUs;
        const cell = found.get(timeUs) ?? emptyCell();
        const same = byBlock.get(blockUs);
        if (same) same.push({ place, revision, cell });
        else byBlock.set(blockUs, [{ place, revision, cell }]);
      }
      if (byBlock.size > 0) await this.parts.rollups.put(this.kept[k], stepUs, byBlock);
    }
    return { cells, spanUs: stepUs, untilUs: range.toUs };
  }

  /** Of each cell; that of a second is that of its minute. */
  private async revisions(fromUs: number, toUs: number, stepUs: number): Promise<Float64Array> {
    const { gateway, stream } = this.planned;
    const firstUs = Math.floor(fromUs / minuteUs) * minuteUs;
    const endUs = Math.ceil(toUs / minuteUs) * minuteUs;
    const minutes = await this.parts.index.revisions({ gateway, stream, fromUs: firstUs, toUs: endUs });
    const count = Math.round((toUs - fromUs) / stepUs);
    if (stepUs < minuteUs) {
      return Float64Array.from({ length: count }, (_, i) => {
        return minutes[Math.floor((fromUs + i * stepUs - firstUs) / minuteUs)];
      });
    }
    const each = stepUs / minuteUs;
    return Float64Array.from({ length: count }, (_, i) =>
      each === 1 ? minutes[i] : mixRevisions(minutes.subarray(i * each, (i + 1) * each)),
    );
  }

  /** By start, one of each signal. */
  private async blocks(fromUs: number, toUs: number, stepUs: number): Promise<Map<number, Block[]>> {
    const blockUs = stepUs * blockCells;
    const first = Math.floor(fromUs / blockUs);
    const startsUs = Array.from(
      { length: Math.ceil(toUs / blockUs) - first },
      (_, i) => (first + i) * blockUs,
    );
    const bySignal: Block[][] = [];
    for (const signal of this.kept) bySignal.push(await this.parts.rollups.blocks(signal, stepUs, startsUs));
    return new Map(startsUs.map((startUs, i) => [startUs, bySignal.map((own) => own[i])]));
  }
}

/** Place of a cell in its block. */
const placeOf = (timeUs: number, stepUs: number): number => {
  const cell = Math.round(timeUs / stepUs);
  return cell - Math.floor(cell / blockCells) * blockCells;
};
