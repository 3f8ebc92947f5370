import type { BatchFacts } from '../index/index.js';
import type { Records, TimedColumns } from './records.js';

/** Where a record, or a batch, stands in event-time order: time, then the order in which they were captured. */
export interface Place {
  timeUs: number;
  epochOrder: number;
  sequence: number;
}

export const isBefore = (a: Place, b: Place): boolean =>
  a.timeUs < b.timeUs || (a.timeUs === b.timeUs && isCapturedBefore(a, b));

const isCapturedBefore = (a: Place, b: Place): boolean =>
  a.epochOrder < b.epochOrder || (a.epochOrder === b.epochOrder && a.sequence < b.sequence);

/**
 * A batch on its way through the merge: first only its place, then with its records, which may be dropped and loaded
 * again. `timeUs` is the time of its next record; until the records were first loaded a lower bound of it.
 */
export class BatchCursor implements Place {
  timeUs: number;
  readonly epochOrder: number;
  readonly sequence: number;
  /** The batch as stored, from when it was read ahead until its records are loaded. */
  bytes: Uint8Array | undefined;
  records: Records | undefined;
  /** Records by time, where the batch doesn't hold them so; ties stay in the order of the batch. */
  private order: Uint32Array | undefined;
  /** Places in that order: next record, and one behind the last that is wanted; -1 until the first load. */
  private at = -1;
  private end = 0;

  constructor(
    readonly facts: BatchFacts,
    bytes: Uint8Array,
    private readonly fromUs: number,
    private readonly toUs: number,
  ) {
    this.bytes = bytes;
    this.timeUs = Math.max(facts.firstTimeUs, fromUs);
    this.epochOrder = facts.epochOrder;
    this.sequence = facts.sequence;
  }

  get exhausted(): boolean {
    return this.at >= this.end;
  }

  /** Memory that it holds, about. */
  get heldBytes(): number {
    if (this.records) return bytesPerRecord * this.facts.records + this.facts.rawBytes;
    return this.bytes?.length ?? 0;
  }

  attach(records: Records): void {
    const { columns } = records;
    this.bytes = undefined;
    this.records = records;
    this.order = sortedOrder(columns);
    if (this.at >= 0) return; // loaded again
    this.at = this.lowerBound(columns, this.fromUs);
    this.end = this.lowerBound(columns, this.toUs);
    this.settleTime(columns);
  }

  /** Drops what it holds; the place is kept. */
  detach(): Records | undefined {
    const { records } = this;
    this.bytes = undefined;
    this.records = undefined;
    this.order = undefined;
    return records;
  }

  /**
   * Takes the next records, some thousands at most, that come before `limit` and lie behind one another in the batch:
   * at least one, the caller has seen to it that this cursor is before `limit`. Returns them as `[from, to)`.
   */
  takeRun(limit: Place | undefined): { from: number; to: number } {
    const { columns } = this.records!;
    const { order } = this;
    const start = this.at;
    const end = Math.min(this.end, start + runRecordsMax);
    const from = order ? order[start] : start;
    let next = start + 1;
    if (limit === undefined || this.facts.lastTimeUs < limit.timeUs) {
      if (order) while (next < end && order[next] === order[next - 1] + 1) next++;
      else next = end;
    } else {
      const lastOffset = limit.timeUs - columns.baseTimeUs - (isCapturedBefore(this, limit) ? 0 : 1);
      const { timeOffsetUs } = columns;
      if (order) {
        while (next < end && order[next] === order[next - 1] + 1 && timeOffsetUs[order[next]] <= lastOffset) {
          next++;
        }
      } else {
        while (next < end && timeOffsetUs[next] <= lastOffset) next++;
      }
    }
    this.at = next;
    this.settleTime(columns);
    return { from, to: from + (next - start) };
  }

  private settleTime(columns: TimedColumns): void {
    if (this.at < this.end) this.timeUs = columns.baseTimeUs + columns.timeOffsetUs[this.index(this.at)];
  }

  private index(at: number): number {
    return this.order ? this.order[at] : at;
  }

  /** First place whose record is at or after `timeUs`. */
  private lowerBound(columns: TimedColumns, timeUs: number): number {
    let low = 0;
    let high = columns.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (columns.baseTimeUs + columns.timeOffsetUs[this.index(middle)] < timeUs) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Bounds the text that is made at once. */
const runRecordsMax = 8192;

/** About what one record takes in columns, its data aside. */
const bytesPerRecord = 24;

/** Undefined where the records are in order already. */
function sortedOrder({ count, timeOffsetUs }: TimedColumns): Uint32Array | undefined {
  let i = 1;
  while (i < count && timeOffsetUs[i - 1] <= timeOffsetUs[i]) i++;
  if (i >= count) return undefined;
  const order = new Uint32Array(count);
  for (let k = 0; k < count; k++) order[k] = k;
  return order.sort((a, b) => timeOffsetUs[a] - timeOffsetUs[b] || a - b);
}
