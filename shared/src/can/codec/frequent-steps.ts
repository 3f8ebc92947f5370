export const FREQUENT_MAX = 31;
/** A step that occurs less often costs less as a number than in the list. */
const OCCURRENCES_MIN = 3;
/** Steps that may be in the list are below this. */
const STEP_LIMIT = 1 << 16;
const OCCURRENCES_KEPT = 255;

/** Finds the steps of time that occur most often. Encoder only. Reused from batch to batch. */
export class FrequentSteps {
  /** Ascending. */
  readonly steps = new Int32Array(FREQUENT_MAX);
  count = 0;
  private readonly occurrences = new Uint16Array(STEP_LIMIT);
  /** Place in `steps` + 1, 0 for all others. */
  private readonly places = new Uint8Array(STEP_LIMIT);
  /** Of each step once, in the order in which they were met. */
  private distinct = new Uint16Array(4096);
  /** How many steps occur so often. */
  private readonly histogram = new Uint32Array(OCCURRENCES_KEPT + 1);

  choose(steps: Int32Array, count: number): void {
    const { occurrences, places, histogram } = this;
    for (let i = 0; i < this.count; i++) places[this.steps[i]] = 0;
    this.count = 0;
    if (this.distinct.length < count) this.distinct = new Uint16Array(Math.min(2 * count, STEP_LIMIT));
    const { distinct } = this;
    let met = 0;
    for (let i = 0; i < count; i++) {
      const step = steps[i];
      if (step >>> 0 >= STEP_LIMIT) continue;
      const times = occurrences[step];
      if (times === 0) distinct[met++] = step;
      if (times < OCCURRENCES_KEPT) occurrences[step] = times + 1;
    }
    histogram.fill(0);
    for (let i = 0; i < met; i++) histogram[occurrences[distinct[i]]]++;
    let least = OCCURRENCES_KEPT;
    for (let chosen = histogram[least]; least > OCCURRENCES_MIN; least--) {
      chosen += histogram[least - 1];
      if (chosen > FREQUENT_MAX) break;
    }
    for (let i = 0; i < met; i++) {
      const step = distinct[i];
      if (occurrences[step] >= least && this.count < FREQUENT_MAX) this.insert(step);
      occurrences[step] = 0;
    }
    for (let i = 0; i < this.count; i++) places[this.steps[i]] = i + 1;
  }

  /** Place of a step in the list, -1 where it isn't there. */
  placeOf(step: number): number {
    return step >>> 0 < STEP_LIMIT ? this.places[step] - 1 : -1;
  }

  private insert(step: number): void {
    const { steps } = this;
    let to = this.count++;
    for (; to > 0 && steps[to - 1] > step; to--) steps[to] = steps[to - 1];
    steps[to] = step;
  }
}
