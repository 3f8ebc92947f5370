/** Shorter ones may come from anything: a line at 9600 baud takes 85 ms. */
const pauseUsMin = 100_000;
/** A pause between epochs is so many times as long as all within one. */
const distinction = 2;

/**
 * Most receivers say all of an epoch at once and are silent until the next. What came is known by the time of its
 * arrival, so the longest pause of an epoch tells where it began; on a line that is never silent nothing does.
 */
export class Pauses {
  private lastUs = NaN;
  /** Of the epoch that is open, and of the one before it: the two longest pauses, µs. */
  private longestUs = 0;
  private secondUs = 0;
  private usualUs = Infinity;

  /** A report came: the pause before it where it seems to be one between epochs, else 0; µs. */
  before(timeUs: number): number {
    const pauseUs = timeUs - this.lastUs;
    this.lastUs = timeUs;
    if (!(pauseUs > 0)) return 0;
    if (pauseUs > this.longestUs) {
      this.secondUs = this.longestUs;
      this.longestUs = pauseUs;
    } else if (pauseUs > this.secondUs) this.secondUs = pauseUs;
    return pauseUs >= this.usualUs / distinction ? pauseUs : 0;
  }

  /** An epoch has ended. */
  turn(): void {
    const isDistinct = this.longestUs >= pauseUsMin && this.longestUs >= distinction * this.secondUs;
    this.usualUs = isDistinct ? this.longestUs : Infinity;
    this.longestUs = 0;
    this.secondUs = 0;
  }
}
