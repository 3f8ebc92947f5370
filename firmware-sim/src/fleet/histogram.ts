/** Steps per power of two: values are known to 1 part in 64. */
const SUB_BITS = 6;
const SUB = 1 << SUB_BITS;

export interface HistogramExport {
  max: number;
  /** Place and count of those that aren't empty. */
  bins: [bin: number, count: number][];
}

/**
 * How values are spread, with a relative error below 1/64 and constant memory, as an HDR histogram. Values are whole,
 * from 0 to 2^40; larger ones count as that.
 */
export class Histogram {
  count = 0;
  max = 0;
  private readonly bins = new Float64Array((41 - SUB_BITS) * SUB + SUB);

  add(value: number): void {
    const whole = Math.min(2 ** 40, Math.max(0, Math.round(value)));
    this.bins[binOf(whole)]++;
    this.count++;
    if (whole > this.max) this.max = whole;
  }

  /** The value that this share of all values doesn't exceed; 0 where there are none. */
  percentile(share: number): number {
    let left = Math.ceil(share * this.count);
    for (let bin = 0; bin < this.bins.length; bin++) {
      left -= this.bins[bin];
      if (left <= 0 && this.count > 0) return Math.min(this.max, highest(bin));
    }
    return 0;
  }

  /** How many values are from `low` (inclusive) to `high` (exclusive), to the precision of the bins. */
  between(low: number, high: number): number {
    let count = 0;
    for (let bin = 0; bin < this.bins.length; bin++) {
      if (highest(bin) >= low && highest(bin) < high) count += this.bins[bin];
    }
    return count;
  }

  /** What another process needs to merge it. */
  export(): HistogramExport {
    const bins: [number, number][] = [];
    this.bins.forEach((count, bin) => count > 0 && bins.push([bin, count]));
    return { max: this.max, bins };
  }

  clear(): void {
    this.bins.fill(0);
    this.count = 0;
    this.max = 0;
  }

  merge({ max, bins }: HistogramExport): void {
    for (const [bin, count] of bins) {
      this.bins[bin] += count;
      this.count += count;
    }
    this.max = Math.max(this.max, max);
  }
}

function binOf(value: number): number {
  if (value < 2 * SUB) return value;
  const upper = Math.floor(value / 2 ** 32);
  const exponent = upper > 0 ? 63 - Math.clz32(upper) : 31 - Math.clz32(value);
  const shift = exponent - SUB_BITS;
  return shift * SUB + Math.floor(value / 2 ** shift);
}

/** The largest value of a bin. */
function highest(bin: number): number {
  if (bin < 2 * SUB) return bin;
  const shift = Math.floor(bin / SUB) - 1;
  return ((bin % SUB) + SUB + 1) * 2 ** shift - 1;
}
