export interface ModelOptions {
  /** ewma: against mean and deviation that forget; robust: against the median of a window, which outliers don't move. */
  method: 'ewma' | 'robust';
  /** Values that are remembered: the half-life, or the window's length. */
  memory: number;
}

export interface Judgement {
  /** What the model would have expected. */
  expected: number;
  /** How many deviations the value is above (positive) or below it. */
  score: number;
}

/** Values before the first judgement. */
const warmUp = 10;
/** What is further off than this teaches the model as if it were this far: a fault doesn't become the usual at once. */
const teachingScoreMax = 4;
/** A normal distribution's deviation, as a multiple of the median of the distances from its median. */
const deviationPerMad = 1.4826;

/** Judges each value of a series by the ones before it. */
export interface Model {
  /** Undefined until it has seen enough. */
  judge(value: number): Judgement | undefined;
}

export function createModel({ method, memory }: ModelOptions): Model {
  return method === 'ewma' ? new EwmaModel(memory) : new RobustModel(Math.max(warmUp, memory));
}

/** Deviations below the resolution of a double, or of a signal that never changed, would make anything an anomaly. */
const atLeast = (deviation: number, around: number): number =>
  Math.max(deviation, 1e-6 * Math.max(1, Math.abs(around)));

/** Exponentially weighted mean and variance (Finch 2009, "Incremental calculation of weighted mean and variance"). */
class EwmaModel implements Model {
  private readonly weight: number;
  private count = 0;
  private mean = 0;
  private variance = 0;

  constructor(halfLife: number) {
    this.weight = 1 - 2 ** (-1 / halfLife);
  }

  judge(value: number): Judgement | undefined {
    const expected = this.mean;
    const deviation = atLeast(Math.sqrt(this.variance), expected);
    const score = (value - expected) / deviation;
    const isKnown = this.count >= warmUp;
    const limit = teachingScoreMax * deviation;
    const difference = isKnown ? Math.max(-limit, Math.min(limit, value - expected)) : value - expected;
    // The first values count alike: the mean of what there is.
    const weight = Math.max(this.weight, 1 / ++this.count);
    this.mean += weight * difference;
    this.variance = (1 - weight) * (this.variance + weight * difference * difference);
    return isKnown ? { expected, score } : undefined;
  }
}

/** Median and median of the distances from it, over the last values. */
class RobustModel implements Model {
  private readonly values: number[] = [];

  constructor(private readonly length: number) {}

  judge(value: number): Judgement | undefined {
    let judgement: Judgement | undefined;
    if (this.values.length >= warmUp) {
      const expected = medianOf(this.values);
      const deviation = deviationPerMad * medianOf(this.values.map((x) => Math.abs(x - expected)));
      judgement = { expected, score: (value - expected) / atLeast(deviation, expected) };
    }
    this.values.push(value);
    if (this.values.length > this.length) this.values.shift();
    return judgement;
  }
}

function medianOf(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
