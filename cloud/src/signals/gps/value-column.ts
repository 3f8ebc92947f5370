import type { Series } from '../decode/decoder.js';

/** Values of a signal that grow until they are handed over. */
export class ValueColumn {
  private count = 0;
  private times = new Float64Array(64);
  private values = new Float64Array(64);

  /** By time; NaN is no value. */
  add(timeUs: number, value: number): void {
    if (Number.isNaN(value)) return;
    if (this.count === this.times.length) this.grow();
    this.times[this.count] = timeUs;
    this.values[this.count++] = value;
  }

  /** Those before `untilUs`; they hold until the next call of anything. */
  before(untilUs: number): Series {
    const { count: all, times, values } = this;
    let count = all;
    while (count > 0 && times[count - 1] >= untilUs) count--;
    return { count, times: times.subarray(0, count), values: values.subarray(0, count), tooShort: 0 };
  }

  /** Forgets the first `count`. */
  drop(count: number): void {
    this.times.copyWithin(0, count, this.count);
    this.values.copyWithin(0, count, this.count);
    this.count -= count;
  }

  private grow(): void {
    const times = new Float64Array(2 * this.count);
    const values = new Float64Array(2 * this.count);
    times.set(this.times);
    values.set(this.values);
    this.times = times;
    this.values = values;
  }
}
