import type { BatchHeader } from '@fleetlog/shared/batch';
import { TIME_LIMIT_US } from './keys.js';
import { NumberReader, packNumbers } from './numbers.js';

/*
 * value = changes batches
 *
 * What happens to a minute of a stream's segment. What was computed of a minute still holds while the number of its
 * changes is the same: consumers of the index keep it beside what they made.
 */
export interface MinuteChanges {
  /** Counts up with every batch that comes or goes. */
  readonly changes: number;
  /** Those that touch the minute now. */
  readonly batches: number;
}

export const encodeChanges = ({ changes, batches }: MinuteChanges): Uint8Array =>
  packNumbers([changes, batches]);

export function decodeChanges(value: Uint8Array): MinuteChanges {
  const input = new NumberReader(value);
  return { changes: input.next(), batches: input.next() };
}

/**
 * A minute that had no batch, or lost all that it had: it begins above every number that it can have had before, as
 * each batch that came and went has changed it twice.
 */
export const newMinute = (trimmedBatches: number): MinuteChanges => ({
  changes: 2 * trimmedBatches,
  batches: 0,
});

export const minuteUs = 60_000_000;

/** A batch that touches more is counted as one that touches every minute. */
const minutesMax = 120;
/** Stands for every minute: the first one that there can be. */
export const everyMinute = Math.ceil(-TIME_LIMIT_US / minuteUs);

/** Minutes since 1970 of original event time. */
export function minutesOf({
  firstTimeUs,
  lastTimeUs,
}: Pick<BatchHeader, 'firstTimeUs' | 'lastTimeUs'>): number[] {
  const first = Math.floor(firstTimeUs / minuteUs);
  const count = Math.floor(lastTimeUs / minuteUs) - first + 1;
  if (count > minutesMax) return [everyMinute];
  return Array.from({ length: count }, (_, i) => first + i);
}
