/**
 * Values of signals that are there under the same condition: one row per frame that has them, with its time and
 * length. A row counts for a signal only where the frame was long enough for it.
 */
export class Rows {
  count = 0;
  /** µs since the Unix epoch. */
  times = new Float64Array(0);
  /** Bytes of the frame, 4095 at most. */
  lengths = new Uint16Array(0);
  /** By signal. */
  values: Float64Array[];
  /** Of all rows. */
  shortestBytes = Infinity;

  constructor(signals: number) {
    this.values = Array.from({ length: signals }, () => new Float64Array(0));
  }

  /** Makes room for so many more. */
  reserve(rows: number): void {
    const needed = this.count + rows;
    if (needed <= this.times.length) return;
    const size = Math.max(needed, 2 * this.times.length, 256);
    this.times = grown(this.times, new Float64Array(size), this.count);
    this.lengths = grown(this.lengths, new Uint16Array(size), this.count);
    this.values = this.values.map((values) => grown(values, new Float64Array(size), this.count));
  }

  clear(): void {
    this.count = 0;
    this.shortestBytes = Infinity;
  }
}

function grown<T extends Float64Array | Uint16Array>(from: T, to: T, count: number): T {
  to.set(from.subarray(0, count));
  return to;
}
