import type { ApiClient } from '../client/api-client.js';
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
): AsyncGenerator<string[]> {
  let span = windowUs;
  let at = range.fromUs;
  const fetch = (): { lines: Promise<string[]>; end: number } => {
    const end = Math.min(range.toUs, at + span);
    const lines = window(api, { ...query, from: secondsText(at), to: secondsText(end) }, signal);
    lines.catch(() => undefined); // told to who takes them
    return { lines, end };
  };
  let next = at < range.toUs ? fetch() : undefined;
  while (next) {
    const lines = await next.lines;
    if (signal.aborted) return;
    span = lines.length === 0 ? span * emptyGrowth : windowUs;
    at = next.end;
    next = at < range.toUs ? fetch() : undefined;
    if (lines.length > 0) yield lines;
  }
}

async function window(api: ApiClient, query: ReplayQuery, signal: AbortSignal): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of lineStream(api, query, signal)) lines.push(line);
  return lines;
}

/** One answer for the whole range, line by line. */
async function* lineStream(api: ApiClient, query: ReplayQuery, signal: AbortSignal): AsyncGenerator<string> {
  const { chunks } = await api.stream('/v1/export', { ...query }, { silenceMsMax, signal });
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') yield line;
  }
  if (rest !== '') yield rest;
}

/** As fast as it goes: one answer, in groups. */
export async function* replayAll(
  api: ApiClient,
  query: ReplayQuery,
  range: ReplayRange,
  signal: AbortSignal,
): AsyncGenerator<string[]> {
  let group: string[] = [];
  const all = { ...query, from: secondsText(range.fromUs), to: secondsText(range.toUs) };
  for await (const line of lineStream(api, all, signal)) {
    group.push(line);
    if (group.length < 1000) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}
