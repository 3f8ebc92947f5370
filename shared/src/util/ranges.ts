/**
 * A set of sequence numbers held as sorted, disjoint, non-adjacent closed ranges `[first, last]`.
 *
 * Exactly-once rests on this: memory grows with the number of holes, never with the number of batches.
 */
export class RangeSet {
  /** Flat `[first0, last0, first1, last1, …]`, ascending. */
  private bounds: number[];

  constructor(ranges: Iterable<readonly [number, number]> = []) {
    this.bounds = [];
    for (const [first, last] of ranges) this.add(first, last);
  }

  /** Number of ranges (not of members). */
  get rangeCount(): number {
    return this.bounds.length / 2;
  }

  /** Number of members. */
  get size(): number {
    let size = 0;
    for (let i = 0; i < this.bounds.length; i += 2) size += this.bounds[i + 1] - this.bounds[i] + 1;
    return size;
  }

  get min(): number | undefined {
    return this.bounds[0];
  }

  get max(): number | undefined {
    return this.bounds.at(-1);
  }

  get firstRange(): [number, number] | undefined {
    return this.bounds.length > 0 ? [this.bounds[0], this.bounds[1]] : undefined;
  }

  get lastRange(): [number, number] | undefined {
    const { bounds } = this;
    return bounds.length > 0 ? [bounds[bounds.length - 2], bounds[bounds.length - 1]] : undefined;
  }

  /** Index into `bounds` of the first range whose last is >= `value` (may be `bounds.length`). */
  private seek(value: number): number {
    const bounds = this.bounds;
    let low = 0;
    let high = bounds.length / 2;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (bounds[2 * middle + 1] < value) low = middle + 1;
      else high = middle;
    }
    return 2 * low;
  }

  has(value: number): boolean {
    const at = this.seek(value);
    return at < this.bounds.length && this.bounds[at] <= value;
  }

  /** True where every member of `[first, last]` is in the set. */
  covers(first: number, last: number): boolean {
    const at = this.seek(first);
    return at < this.bounds.length && this.bounds[at] <= first && last <= this.bounds[at + 1];
  }

  /** True where any member of `[first, last]` is in the set. */
  intersects(first: number, last: number): boolean {
    const at = this.seek(first);
    return at < this.bounds.length && this.bounds[at] <= last;
  }

  /** Adds `[first, last]`; returns how many members were new. */
  add(first: number, last: number = first): number {
    if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last) || first < 0 || last < first) {
      throw new RangeError(`not a range: [${first}, ${last}]`);
    }
    const bounds = this.bounds;
    const length = bounds.length;
    // The common case: the next sequence of a stream.
    if (length > 0 && bounds[length - 1] === first - 1) {
      bounds[length - 1] = last;
      return last - first + 1;
    }
    const from = first === 0 ? 0 : this.seek(first - 1);
    let to = from;
    let newFirst = first;
    let newLast = last;
    let known = 0;
    while (to < bounds.length && bounds[to] <= last + 1) {
      known += Math.max(0, Math.min(bounds[to + 1], last) - Math.max(bounds[to], first) + 1);
      newFirst = Math.min(newFirst, bounds[to]);
      newLast = Math.max(newLast, bounds[to + 1]);
      to += 2;
    }
    bounds.splice(from, to - from, newFirst, newLast);
    return last - first + 1 - known;
  }

  /** Takes `[first, last]` out; returns how many members that were. */
  remove(first: number, last: number = first): number {
    const bounds = this.bounds;
    const from = this.seek(first);
    const rest: number[] = [];
    let removed = 0;
    let to = from;
    for (; to < bounds.length && bounds[to] <= last; to += 2) {
      const low = bounds[to];
      const high = bounds[to + 1];
      removed += Math.min(high, last) - Math.max(low, first) + 1;
      if (low < first) rest.push(low, first - 1);
      if (high > last) rest.push(last + 1, high);
    }
    if (removed > 0) bounds.splice(from, to - from, ...rest);
    return removed;
  }

  /** The ranges missing from `[first, last]`, ascending. */
  *holes(first: number, last: number): Generator<[number, number]> {
    let at = first;
    for (let i = this.seek(first); i < this.bounds.length && this.bounds[i] <= last; i += 2) {
      if (this.bounds[i] > at) yield [at, this.bounds[i] - 1];
      at = this.bounds[i + 1] + 1;
    }
    if (at <= last) yield [at, last];
  }

  *[Symbol.iterator](): Generator<[number, number]> {
    for (let i = 0; i < this.bounds.length; i += 2) yield [this.bounds[i], this.bounds[i + 1]];
  }

  /** Flat `[first0, last0, …]`, the form in which the set is stored and sent. */
  toFlat(): number[] {
    return this.bounds.slice();
  }

  /** Throws `RangeError` where `flat` isn't what `toFlat` makes. */
  static fromFlat(flat: readonly number[]): RangeSet {
    const set = new RangeSet();
    let previous = -2;
    if (flat.length % 2 !== 0) throw new RangeError('odd number of bounds');
    for (let i = 0; i < flat.length; i += 2) {
      const first = flat[i];
      const last = flat[i + 1];
      if (
        !Number.isSafeInteger(first) ||
        !Number.isSafeInteger(last) ||
        first < previous + 2 ||
        last < first
      ) {
        throw new RangeError(`bounds out of order at ${i}`);
      }
      set.bounds.push(first, last);
      previous = last;
    }
    return set;
  }
}
