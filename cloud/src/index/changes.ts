import type { BatchHeader } from '@fleetlog/shared/batch';
import { TIME_LIMIT_US } from './keys.js';

/*
 * How many batches touch a minute of a stream's segment. Batches are never taken away, so what was computed of a minute
 * still holds while that number is the same: consumers of the index keep it beside what they made.
 */

export const minuteUs = 60_000_000;

/** A batch that touches more is counted as one that touches every minute. */
const minutesMax = 120;
/** Stands for every minute: the first one that there can be. */
export const everyMinute = Math.ceil(-TIME_LIMIT_US / minuteUs);

/** Minutes since 1970 of original event time. */
export function minutesOf({ firstTimeUs, lastTimeUs }: BatchHeader): number[] {
  const first = Math.floor(firstTimeUs / minuteUs);
  const count = Math.floor(lastTimeUs / minuteUs) - first + 1;
  if (count > minutesMax) return [everyMinute];
  return Array.from({ length: count }, (_, i) => first + i);
}
