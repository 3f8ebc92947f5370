import type { BatchHeader } from '@fleetlog/shared/batch';
import type { Signals } from '../api/signal-schemas.js';
import type { ApiClient } from './api-client.js';
import { microsOf, queryTime } from './times.js';

export type QueryApi = Pick<ApiClient, 'json' | 'stream'>;

/** What has to be known of a batch to ask for its values. */
export type BatchSpan = Pick<BatchHeader, 'gateway' | 'stream' | 'codec' | 'firstTimeUs' | 'lastTimeUs'>;

/** Values that were said at one time, by the full names of their signals. */
export interface SignalRow {
  timeUs: number;
  values: ReadonlyMap<string, number>;
}

/** What a batch has brought of the wanted signals. */
export interface NewValues {
  gateway: string;
  stream: string;
  /** Full names. */
  signals: readonly string[];
  /** Event times, `[fromUs, toUs)`; all that was there before has been given already. */
  fromUs: number;
  toUs: number;
  /** Nothing of this stream was given before. */
  isFirst: boolean;
  /** In the order of time. Errors: those of the API. */
  rows: () => AsyncIterable<SignalRow>;
}

interface FollowedStream {
  signals: string[];
  namedUs: number;
  toUs: number | undefined;
}

const namesValidUs = 60_000_000;
/** What one question to the API may name. */
const signalsPerQuery = 256;

/**
 * Turns batches of the log into values of signals, as `fleetlog query` gives them: with the database of their time, in
 * event time, forwards only. What comes later than newer data (a backlog) isn't given.
 */
export class SignalFollower {
  private readonly streams = new Map<string, FollowedStream>();

  /** `wants` is asked now and then for each signal that a gateway has: databases and assignments change. */
  constructor(
    private readonly api: QueryApi,
    private readonly wants: (gateway: string, signal: string) => boolean,
    private readonly nowUs: () => number,
  ) {}

  /** Undefined where it brings nothing that is wanted. The next call means that this one's rows are done. */
  async batch({
    gateway,
    stream,
    codec,
    firstTimeUs,
    lastTimeUs,
  }: BatchSpan): Promise<NewValues | undefined> {
    if (codec === 'gap-1') return undefined;
    const followed = await this.followed(gateway, stream);
    const { signals } = followed;
    const isFirst = followed.toUs === undefined;
    const fromUs = followed.toUs ?? firstTimeUs;
    const toUs = lastTimeUs + 1;
    if (toUs <= fromUs || signals.length === 0) return undefined;
    followed.toUs = toUs;
    const range = { from: queryTime(fromUs), to: queryTime(toUs) };
    const rows = (): AsyncIterable<SignalRow> => this.rows(gateway, signals, range);
    return { gateway, stream, signals, fromUs, toUs, isFirst, rows };
  }

  private async followed(gateway: string, stream: string): Promise<FollowedStream> {
    const key = `${gateway}/${stream}`;
    const known = this.streams.get(key);
    if (known && this.nowUs() - known.namedUs < namesValidUs) return known;
    const { body } = await this.api.json<Signals>('/v1/signals', { gateway, stream });
    const signals = body.signals.map(({ name }) => name).filter((name) => this.wants(gateway, name));
    const followed = { signals: signals.slice(0, signalsPerQuery), namedUs: this.nowUs(), toUs: known?.toUs };
    this.streams.set(key, followed);
    return followed;
  }

  private async *rows(
    gateway: string,
    signal: string[],
    range: { from: string; to: string },
  ): AsyncGenerator<SignalRow> {
    for await (const { time, ...values } of queryRows(this.api, { gateway, signal, ...range })) {
      const numbers = Object.entries(values).filter(
        (pair): pair is [string, number] => typeof pair[1] === 'number',
      );
      yield { timeUs: microsOf(time), values: new Map(numbers) };
    }
  }
}

type QueryRow = { time: string } & Record<string, unknown>;

/** Rows of `GET /v1/query`, as they come. Errors: those of the API. */
export async function* queryRows(
  api: QueryApi,
  query: Record<string, string | string[]>,
): AsyncGenerator<QueryRow> {
  const { chunks } = await api.stream('/v1/query', { ...query, format: 'ndjson' }, { silenceMsMax: 60_000 });
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() as string;
    for (const line of lines) yield JSON.parse(line) as QueryRow;
  }
}
