import type { GapSpan } from '../gap-spans.js';
import type { StoredBatches } from '../stored-batches.js';

/** What the stream's own totals say of its end. */
interface StreamEnd {
  next: number;
  records: number;
  lastTimeUs: number | undefined;
}

/**
 * A gap for batches that don't read, with what their neighbours know of them. `countedBefore`: records before `first`,
 * where somebody knows them though those batches are gone.
 */
export async function lostSpan(
  stored: StoredBatches,
  stream: string,
  [first, last]: [number, number],
  detail: string,
  end: StreamEnd,
  countedBefore?: number,
): Promise<GapSpan> {
  const before = first > 0 ? await stored.range(stream, first - 1, first - 1) : undefined;
  const after = last + 1 < end.next ? await stored.range(stream, last + 1, last + 1) : undefined;
  // The record of another gap counts nothing.
  const isCounted = (range: typeof before): boolean =>
    range?.lowHeader !== undefined && range.lowHeader.codec !== 'gap-1';
  const recordsBefore = first === 0 ? 0 : isCounted(before) ? before?.recordsUpTo : countedBefore;
  const countedAfter = after && isCounted(after) ? after.recordsUpTo - after.records : undefined;
  const recordsAfter = last + 1 === end.next ? end.records : countedAfter;
  const known = recordsBefore !== undefined && recordsAfter !== undefined && recordsAfter >= recordsBefore;
  const lastTimeUs = after?.lowHeader?.firstTimeUs ?? end.lastTimeUs ?? before?.highHeader?.lastTimeUs ?? 0;
  return {
    first,
    last,
    cause: 'corrupt',
    detail,
    records: known ? recordsAfter - recordsBefore : -1,
    firstTimeUs: Math.min(before?.highHeader?.lastTimeUs ?? lastTimeUs, lastTimeUs),
    lastTimeUs,
  };
}
