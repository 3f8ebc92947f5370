import { FleetlogError } from '@fleetlog/shared/errors';

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
    const response = await this.ask('/v1/export', { gateway, stream, format, ...range });
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
    return (await this.ask(path, query)).json();
  }

  private async ask(path: string, query: Record<string, string>): Promise<Response> {
    const url = `${this.url}${path}?${new URLSearchParams(query).toString()}`;
    let response: Response;
    try {
      const late = AbortSignal.timeout(ANSWER_MS_MAX);
      response = await fetch(url, {
        signal: path === '/v1/export' ? this.signal : AbortSignal.any([late, this.signal]),
      });
    } catch (cause) {
      throw new FleetlogError(
        'FLEETLOG_UNREACHABLE',
        `The cloud at ${this.url} doesn't answer; is it running?`,
        {
          cause,
        },
      );
    }
    if (response.ok) return response;
    const { message = `status ${response.status}` } = (await response.json().catch(() => ({}))) as {
      message?: string;
    };
    throw new FleetlogError('FLEETLOG_INTERRUPTED', `The cloud refused ${path}: ${message}`);
  }
}
