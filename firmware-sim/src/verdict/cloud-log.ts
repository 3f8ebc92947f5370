import { FleetlogError } from '@fleetlog/shared/errors';
import { ask } from './ask.js';

/** A stretch of time whose records a gateway gave up, and said so. */
interface ExplainedGap {
  firstTimeUs: number;
  lastTimeUs: number;
  /** -1 where nobody knows. */
  records: number;
}

/** What the cloud says is missing of one stream. */
export interface StreamGaps {
  explained: ExplainedGap[];
  /** Batches that are neither held nor explained, or still on their way. */
  openBatches: number;
}

interface StreamRow {
  gateway: string;
  stream: string;
  records: number;
  origin?: string;
  lastTime?: string;
}

interface GapRow {
  first: number;
  last: number;
  state: 'explained' | 'pending' | 'missing';
  records?: number;
  firstTime?: string;
  lastTime?: string;
}

const ANSWER_MS_MAX = 120_000;

/** The cloud's log, seen through its API alone. Errors: FLEETLOG_UNREACHABLE, FLEETLOG_INTERRUPTED. */
export class CloudLog {
  constructor(
    private readonly url: string,
    private readonly signal: AbortSignal,
  ) {}

  async streams(): Promise<StreamRow[]> {
    return ((await this.json('/v1/streams', {})) as { streams: StreamRow[] }).streams;
  }

  async gaps(gateway: string, stream: string): Promise<StreamGaps> {
    const { gaps } = (await this.json('/v1/gaps', { gateway, stream })) as { gaps: GapRow[] };
    const explained = gaps
      .filter(({ state }) => state === 'explained')
      .map(({ firstTime, lastTime, records = -1 }) => ({
        firstTimeUs: firstTime === undefined ? -Infinity : Date.parse(firstTime) * 1000,
        lastTimeUs: lastTime === undefined ? Infinity : (Date.parse(lastTime) + 1) * 1000,
        records,
      }));
    const openBatches = gaps
      .filter(({ state }) => state !== 'explained')
      .reduce((sum, { first, last }) => sum + last - first + 1, 0);
    return { explained, openBatches };
  }

  /** The bytes of all records from `fromUs` to `toUs`, in the order in which the cloud gives them. */
  async *records(
    { gateway, stream, format }: { gateway: string; stream: string; format: string },
    fromUs: number,
    toUs: number,
  ): AsyncGenerator<Uint8Array> {
    const range = { from: (fromUs / 1e6).toFixed(6), to: (toUs / 1e6).toFixed(6) };
    const query = { gateway, stream, format, ...range };
    const response = await ask(this.url, '/v1/export', query, { signal: this.signal });
    if (!response.body) return;
    try {
      for await (const chunk of response.body) yield chunk as Uint8Array;
    } catch (cause) {
      throw new FleetlogError(
        'FLEETLOG_INTERRUPTED',
        `The cloud's answer for ${gateway}/${stream} broke off; try again.`,
        { cause },
      );
    }
  }

  private async json(path: string, query: Record<string, string>): Promise<unknown> {
    const signal = AbortSignal.any([AbortSignal.timeout(ANSWER_MS_MAX), this.signal]);
    return (await ask(this.url, path, query, { signal })).json();
  }
}
