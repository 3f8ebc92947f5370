/** Steps per power of two: values are known to 1 part in 64. */
const SUB_BITS = 6;
const SUB = 1 << SUB_BITS;

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

  merge(other: Histogram): void {
    other.bins.forEach((count, bin) => (this.bins[bin] += count));
    this.count += other.count;
    this.max = Math.max(this.max, other.max);
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
