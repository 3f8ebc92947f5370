const binUs = 50;
const bins = 20_000; // up to 1 s

/** How far records were from their time: a histogram, so that an endless replay takes no more memory. */
export class PacingError {
  private readonly counts = new Uint32Array(bins + 1);
  private total = 0;
  private largestUs = 0;

  add(errorUs: number): void {
    const size = Math.abs(errorUs);
    this.counts[Math.min(bins, Math.floor(size / binUs))]++;
    this.total++;
    this.largestUs = Math.max(this.largestUs, size);
  }

  get count(): number {
    return this.total;
  }

  get maxMs(): number {
    return this.largestUs / 1000;
  }

  /** Not more than this, ms, for that part of the records (0 to 1); to 0.05 ms. */
  quantileMs(part: number): number {
    let left = Math.ceil(this.total * part);
    for (let bin = 0; bin < bins; bin++) {
      left -= this.counts[bin];
      if (left <= 0) return Math.min(this.maxMs, ((bin + 1) * binUs) / 1000);
    }
    return this.maxMs;
  }
}
