import type { StoreEntry } from '@fleetlog/shared/store';
import { readTime } from '@fleetlog/shared/store';
import type { TimeCorrection } from '../time/correction.js';
import { decodeChanges, everyMinute, minuteUs } from './changes.js';
import type { Segment } from './segments.js';

/** µs; more than rounding of corrected times can move a batch. */
const marginUs = 8;

/** Mixes numbers into one of 53 bits (after MurmurHash3's finalizer): the same ones give the same, others hardly ever. */
class Mixer {
  private low = 0x9e37_79b9;
  private high = 0x85eb_ca6b;

  add(value: number): void {
    this.word(value | 0);
    this.word(Math.floor(value / 2 ** 32) | 0);
  }

  /** Never 0. */
  get value(): number {
    return (this.high & 0x1f_ffff) * 2 ** 32 + (this.low >>> 0) + 1;
  }

  private word(word: number): void {
    this.low = Math.imul(this.low ^ word, 0xcc9e_2d51);
    this.low ^= this.low >>> 15;
    this.high = Math.imul(this.high ^ this.low ^ word, 0x1b87_3593);
    this.high ^= this.high >>> 13;
    this.low = (this.low + this.high) | 0;
  }
}

/** Counts of a segment's batches by minute of original time. */
export interface SegmentChanges {
  segment: Segment;
  correction: TimeCorrection | undefined;
  /** Entries of `changes` (keys.ts) for the minutes that matter, and that of `everyMinute`. */
  entries: readonly StoreEntry[];
}

/** Original times that may become those of a range. */
export function originalRange(
  correction: TimeCorrection | undefined,
  fromUs: number,
  toUs: number,
): { fromUs: number; toUs: number } {
  if (!correction) return { fromUs, toUs };
  return { fromUs: correction.originalUs(fromUs) - marginUs, toUs: correction.originalUs(toUs) + marginUs };
}

/**
 * A number for each minute of corrected time from `fromUs` on: 0 where no batch has records in it; else one that changes
 * when a batch comes that may, or when what is known of its clock changes.
 */
export function minuteRevisions(
  segments: readonly SegmentChanges[],
  fromUs: number,
  minutes: number,
): Float64Array {
  const mixers: (Mixer | undefined)[] = Array.from({ length: minutes }, () => undefined);
  for (const { segment, correction, entries } of segments) {
    const counts = new Map<number, number>();
    for (const { key, value } of entries) {
      const startUs = readTime(key, key.length - 8);
      counts.set(Math.round(startUs / minuteUs), decodeChanges(value).changes);
    }
    const everywhere = counts.get(everyMinute) ?? 0;
    for (let i = 0; i < minutes; i++) {
      const startUs = fromUs + i * minuteUs;
      const range = originalRange(correction, startUs, startUs + minuteUs);
      let isTouched = everywhere > 0;
      const first = Math.floor(range.fromUs / minuteUs);
      const end = Math.ceil(range.toUs / minuteUs);
      for (let minute = first; minute < end && !isTouched; minute++) isTouched = counts.has(minute);
      if (!isTouched) continue;
      const mixer = (mixers[i] ??= new Mixer());
      mixer.add(segment.segment);
      mixer.add(everywhere);
      for (let minute = first; minute < end; minute++) mixer.add(counts.get(minute) ?? 0);
      for (const number of correction?.shapeBetween(range.fromUs, range.toUs) ?? []) mixer.add(number);
    }
  }
  return Float64Array.from(mixers, (mixer) => mixer?.value ?? 0);
}

/** One number for several: 0 where all of them are. */
export function mixRevisions(revisions: Float64Array): number {
  if (revisions.every((revision) => revision === 0)) return 0;
  const mixer = new Mixer();
  for (const revision of revisions) mixer.add(revision);
  return mixer.value;
}
