import { malformedPayload } from './payload.js';
import type { BatchHeader } from './types.js';

/** Event times of one batch stay within ±2^31 µs (35 min) of `baseTimeUs`. */
export const TIME_OFFSET_LIMIT_US = 0x7fff_ffff;

/** Smallest and largest event time of a batch in columns; both `baseTimeUs` where it is empty. */
export function timeSpan(columns: { count: number; baseTimeUs: number; timeOffsetUs: Int32Array }): {
  firstTimeUs: number;
  lastTimeUs: number;
} {
  const { count, baseTimeUs, timeOffsetUs } = columns;
  let first = count > 0 ? timeOffsetUs[0] : 0;
  let last = first;
  for (let i = 1; i < count; i++) {
    const offset = timeOffsetUs[i];
    if (offset < first) first = offset;
    if (offset > last) last = offset;
  }
  return { firstTimeUs: baseTimeUs + first, lastTimeUs: baseTimeUs + last };
}

/** The index is built from headers alone: a payload whose times tell something else is refused. */
export function checkTimeSpan(
  header: BatchHeader,
  columns: { count: number; baseTimeUs: number; timeOffsetUs: Int32Array },
): void {
  const { firstTimeUs, lastTimeUs } = timeSpan(columns);
  if (columns.count > 0 && (firstTimeUs !== header.firstTimeUs || lastTimeUs !== header.lastTimeUs)) {
    throw malformedPayload("its times aren't those of the header");
  }
}
