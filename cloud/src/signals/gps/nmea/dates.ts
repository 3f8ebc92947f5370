import type { Fields, SentenceType } from './sentences.js';

const daySeconds = 86_400;

/**
 * Most sentences tell the time of the day only. The day is that of the last sentence that told one, and the next after
 * midnight; before any has, the one that brings the time closest to when the sentence was recorded.
 */
export class SentenceDates {
  private day = NaN;
  private lastOfDay = NaN;

  /** What the sentence says that time it is, s since 1970; NaN where it doesn't. */
  see(type: SentenceType, fields: Fields, ofDay: number, recordedUs: number): number {
    const day = type.secondsOfDate?.(fields) ?? NaN;
    if (!Number.isNaN(day)) this.day = day;
    else if (ofDay < this.lastOfDay - daySeconds / 2) this.day += daySeconds;
    if (Number.isNaN(ofDay)) return NaN;
    this.lastOfDay = ofDay;
    if (!Number.isNaN(this.day)) return this.day + ofDay;
    return ofDay + Math.round((recordedUs / 1e6 - ofDay) / daySeconds) * daySeconds;
  }
}
