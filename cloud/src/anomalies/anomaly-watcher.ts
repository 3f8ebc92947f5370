import type { BatchHeader } from '@fleetlog/shared/batch';
import { queryRows, SignalFollower, type NewValues, type QueryApi } from '../client/signal-follower.js';
import { microsOf, queryTime } from '../client/times.js';
import { isoMicros } from '../export/iso-time.js';
import { AnomalySeries, type SeriesOptions } from './series.js';

export interface AnomalyOptions extends SeriesOptions {
  /** Names of signals, or their ends. */
  signals: readonly string[];
  /** Only these; all where not given. */
  gateways: readonly string[] | undefined;
  /** How much of what was there before the first batch teaches the model, µs. */
  learnUs: number;
}

/** As it goes out. */
export interface AnomalyScore {
  gateway: string;
  signal: string;
  /** Beginning of the bucket. */
  time: string;
  value: number;
  expected: number;
  score: number;
}

/** Scores signals as batches bring them; what it has to know of the past it asks of the log when it begins. */
export class AnomalyWatcher {
  private readonly follower: SignalFollower;
  private readonly series = new Map<string, AnomalySeries>();

  constructor(
    private readonly api: QueryApi,
    private readonly options: AnomalyOptions,
    nowUs: () => number,
  ) {
    const { gateways, signals } = options;
    const wants = (gateway: string, name: string): boolean =>
      (gateways?.includes(gateway) ?? true) &&
      signals.some((signal) => name === signal || name.endsWith(`/${signal}`));
    this.follower = new SignalFollower(api, wants, nowUs);
  }

  /** Errors: those of the API. */
  async *batch(header: BatchHeader): AsyncGenerator<AnomalyScore> {
    const brought = await this.follower.batch(header);
    if (!brought) return;
    const { gateway } = brought;
    for await (const { timeUs, values } of brought.rows()) {
      for (const [signal, value] of values) {
        const series = await this.seriesOf(brought, signal);
        const judged = series.value(timeUs, value);
        if (!judged) continue;
        const { timeUs: bucketUs, ...facts } = judged;
        yield { gateway, signal, time: isoMicros(bucketUs), ...facts };
      }
    }
  }

  private async seriesOf({ gateway, fromUs }: NewValues, signal: string): Promise<AnomalySeries> {
    const key = `${gateway}/${signal}`;
    const known = this.series.get(key);
    if (known) return known;
    const series = new AnomalySeries(this.options);
    this.series.set(key, series);
    const { everyUs, learnUs } = this.options;
    const toUs = Math.floor(fromUs / everyUs) * everyUs;
    if (learnUs === 0) return series;
    const range = { from: queryTime(toUs - learnUs), to: queryTime(toUs) };
    const buckets = { every: `${everyUs}us`, agg: 'mean', gaps: 'skip' };
    for await (const { time, ...means } of queryRows(this.api, { gateway, signal, ...range, ...buckets })) {
      const [mean] = Object.values(means);
      if (typeof mean === 'number') series.learn(microsOf(time), mean);
    }
    return series;
  }
}
