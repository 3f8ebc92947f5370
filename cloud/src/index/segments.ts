import type { BatchHeader } from '@fleetlog/shared/batch';

/**
 * Batches of one stream that were stamped with one offset of one boot's clock; one more segment holds all whose times
 * are their source's own.
 */
export interface Segment {
  /** Number in its stream, from 0. */
  segment: number;
  /** Empty where the times are the source's own: never corrected. */
  boot: string;
  wallOffsetUs: number;
  /** Bounds of the original times. */
  firstTimeUs: number;
  lastTimeUs: number;
  /** Time between first and last record of the longest batch: bounds the search for batches that reach into a range. */
  longestUs: number;
}

/** A gateway that invents a new offset for each batch isn't followed beyond this: its times stay as they are. */
export const segmentsMax = 10_000;

/** Where a batch belongs by its clock. */
export function segmentOf({ boot, clock }: BatchHeader): Pick<Segment, 'boot' | 'wallOffsetUs'> {
  return clock.stamped ? { boot, wallOffsetUs: clock.wallOffsetUs } : { boot: '', wallOffsetUs: 0 };
}

export function widen(segment: Segment, { firstTimeUs, lastTimeUs }: BatchHeader): void {
  segment.firstTimeUs = Math.min(segment.firstTimeUs, firstTimeUs);
  segment.lastTimeUs = Math.max(segment.lastTimeUs, lastTimeUs);
  segment.longestUs = Math.max(segment.longestUs, lastTimeUs - firstTimeUs);
}
