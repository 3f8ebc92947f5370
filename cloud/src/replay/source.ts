import type { ApiClient } from '../client/api-client.js';
import { FetchedLines } from './fetched-lines.js';
import { lineTimeUs, type ReplayFormat } from './line-time.js';

export interface ReplayQuery {
  gateway: readonly string[];
  stream?: readonly string[] | undefined;
  from?: string | undefined;
  to?: string | undefined;
  format: ReplayFormat;
}

export interface ReplayRange {
  fromUs: number;
  toUs: number;
}

const silenceMsMax = 120_000;
const emptyGrowth = 4;
const newline = 0x0a;

const secondsText = (timeUs: number): string => {
  const seconds = Math.floor(timeUs / 1e6);
  return `${seconds}.${String(timeUs - seconds * 1e6).padStart(6, '0')}`;
};

/** The event times that the query is about, as the cloud understands them. Errors: those of the API. */
export async function rangeOf(api: ApiClient, query: ReplayQuery): Promise<ReplayRange> {
  const stop = new AbortController();
  const { headers } = await api.stream('/v1/export', { ...query }, { silenceMsMax, signal: stop.signal });
  stop.abort();
  const timeOf = (name: string): number => lineTimeUs(`"time":"${String(headers[name])}"`, 'ndjson') ?? 0;
  return { fromUs: timeOf('fleetlog-from'), toUs: timeOf('fleetlog-to') };
}

/**
 * Lines of all streams in event-time order, in windows of event time: a paced replay holds no answer open for hours,
 * and what comes next is fetched while this is played. Where nothing was recorded the windows grow.
 */
export async function* replayWindows(
  api: ApiClient,
  query: ReplayQuery,
  range: ReplayRange,
  windowUs: number,
  signal: AbortSignal,
): AsyncGenerator<FetchedLines> {
  let span = windowUs;
  let at = range.fromUs;
  const fetch = (): { lines: Promise<FetchedLines>; end: number } => {
    const end = Math.min(range.toUs, at + span);
    const lines = window(api, { ...query, from: secondsText(at), to: secondsText(end) }, signal);
    lines.catch(() => undefined); // told to who takes them
    return { lines, end };
  };
  let next = at < range.toUs ? fetch() : undefined;
  while (next) {
    const lines = await next.lines;
    if (signal.aborted) return;
    span = lines.isEmpty ? span * emptyGrowth : windowUs;
    at = next.end;
    next = at < range.toUs ? fetch() : undefined;
    if (!lines.isEmpty) yield lines;
  }
}

async function window(api: ApiClient, query: ReplayQuery, signal: AbortSignal): Promise<FetchedLines> {
  const { chunks } = await api.stream('/v1/export', { ...query }, { silenceMsMax, signal });
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return new FetchedLines(all);
}

/** As fast as it goes: one answer, as it comes. */
export async function* replayAll(
  api: ApiClient,
  query: ReplayQuery,
  range: ReplayRange,
  signal: AbortSignal,
): AsyncGenerator<FetchedLines> {
  const all = { ...query, from: secondsText(range.fromUs), to: secondsText(range.toUs) };
  const { chunks } = await api.stream('/v1/export', all, { silenceMsMax, signal });
  let begun: Uint8Array[] = [];
  for await (const chunk of chunks) {
    const end = chunk.lastIndexOf(newline) + 1;
    if (end === 0) {
      begun.push(chunk);
      continue;
    }
    yield new FetchedLines([...begun, chunk.subarray(0, end)]);
    begun = [chunk.subarray(end)];
  }
  yield new FetchedLines(begun);
}
