import { createModel, type Judgement, type Model, type ModelOptions } from './model.js';

export interface SeriesOptions extends ModelOptions {
  /** Length of the buckets whose means are judged, µs. */
  everyUs: number;
  /** Each hour of it is compared with the same hour before only. */
  season: 'none' | 'day' | 'week';
}

export interface Judged extends Judgement {
  /** Beginning of the bucket. */
  timeUs: number;
  /** Mean of the bucket. */
  value: number;
}

const hourUs = 3_600_000_000;
const seasonHours = { none: 1, day: 24, week: 168 };

/** One signal of one gateway: means over buckets of time, each judged when it is over. Times ascend. */
export class AnomalySeries {
  private readonly models = new Map<number, Model>();
  private bucketUs: number | undefined;
  private sum = 0;
  private count = 0;

  constructor(private readonly options: SeriesOptions) {}

  /** Takes a value; returns the judgement of the bucket that it ends. */
  value(timeUs: number, value: number): Judged | undefined {
    const { everyUs } = this.options;
    const bucketUs = Math.floor(timeUs / everyUs) * everyUs;
    const judged = bucketUs === this.bucketUs ? undefined : this.end();
    this.bucketUs = bucketUs;
    this.sum += value;
    this.count++;
    return judged;
  }

  /** Takes the mean of a whole bucket of earlier times. */
  learn(bucketUs: number, mean: number): void {
    this.modelOf(bucketUs).judge(mean);
  }

  private end(): Judged | undefined {
    if (this.bucketUs === undefined) return undefined;
    const [timeUs, value] = [this.bucketUs, this.sum / this.count];
    this.sum = 0;
    this.count = 0;
    const judgement = this.modelOf(timeUs).judge(value);
    return judgement && { timeUs, value, ...judgement };
  }

  private modelOf(timeUs: number): Model {
    const slot = Math.floor(timeUs / hourUs) % seasonHours[this.options.season];
    const model = this.models.get(slot) ?? createModel(this.options);
    this.models.set(slot, model);
    return model;
  }
}
