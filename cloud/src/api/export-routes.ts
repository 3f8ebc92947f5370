import type { FastifyInstance, FastifyReply } from 'fastify';
import { FleetlogError } from '@fleetlog/shared/errors';
import { exportRecords } from '../export/export.js';
import { defaultFormat, formatFor, formats, type FormatName } from '../export/formats.js';
import type { Formatter } from '../export/formatter.js';
import { isoMicros } from '../export/iso-time.js';
import { skipHeld } from '../export/skip.js';
import type { StreamSummary } from '../index/index.js';
import type { TimesName } from '../time/correction.js';
import { catchUp, type ApiContext } from './context.js';
import { chosenStreams } from './chosen-streams.js';
import { ErrorBody, ExportQuery } from './schemas.js';
import { mixedExport, signalExport, type SignalExport } from './signal-export.js';
import { sendStream, type StreamReplyOptions } from './stream-reply.js';
import { parseTime } from './time.js';

interface ExportParameters {
  gateway: string[];
  stream?: string[];
  from?: string;
  to?: string;
  format?: FormatName;
  times?: TimesName;
  signal?: string[];
  records?: boolean;
  skip?: number;
  skipCrc?: number;
}

/** Base64 of what a file should begin with instead of its first bytes, where that is known at the end only. */
const headTrailerName = 'fleetlog-head';

/** The records of the past. */
export function exportRoutes(app: FastifyInstance, context: ApiContext): void {
  const { logger, limits } = context;

  app.get<{ Querystring: ExportParameters }>(
    '/v1/export',
    {
      schema: {
        summary: 'The records of a stream, or several, in event-time order',
        description:
          'Streams. An answer whose chunked encoding does not end properly is incomplete. The headers fleetlog-from and ' +
          'fleetlog-to tell the range; who asks again with these, and how much came and its CRC-32, gets the rest, or ' +
          '409 where the log gives something else by now. The trailer fleetlog-head is base64 of what a file should ' +
          'begin with, where that is known at the end only (blf).',
        querystring: ExportQuery,
        response: { default: ErrorBody },
      },
    },
    async ({ query }, reply) => {
      using _slot = context.exports.take();
      await catchUp(context, reply);
      const clientGone = new AbortController();
      const answer = query.signal
        ? await withSignals(context, { ...query, signal: query.signal }, clientGone.signal)
        : await recordExport(context, query);
      const { chunks, formatter, contentType, fromUs, toUs } = answer;
      tellRange(reply, fromUs, toUs);
      const { skip = 0, skipCrc = 0 } = query;
      await sendStream(reply, {
        chunks: skip > 0 ? skipHeld(chunks, { bytes: skip, crc: skipCrc }, clientGone.signal) : chunks,
        trailers: formatter?.finalHead && headTrailer(formatter),
        contentType,
        headFirst: false,
        idleMs: limits.idleMs,
        logger,
        clientGone,
      });
    },
  );
}

async function recordExport(context: ApiContext, query: ExportParameters) {
  const { index, log } = context;
  const { format, several, ranges } = await recordsOf(context, query);
  const formatter: Formatter = format.create({ several });
  const chunks = exportRecords({ index, log, ranges, formatter });
  const [{ fromUs, toUs }] = ranges;
  return { chunks, formatter, contentType: format.contentType, fromUs, toUs };
}

/** Signals alone, or beside the records of the streams that are named, or of all with `records`. */
async function withSignals(
  context: ApiContext,
  query: ExportParameters & { signal: string[] },
  clientGone: AbortSignal,
): Promise<SignalExport> {
  if (!query.stream && !query.records) return signalExport(context, query, clientGone);
  const { ranges } = await recordsOf(context, query);
  return mixedExport(context, query, ranges, clientGone);
}

/** The streams, a format that can write them, and the range of each: the same for all. */
async function recordsOf(context: ApiContext, query: ExportParameters) {
  const { summaries, format, several } = await choose(context, query);
  const times = query.times ?? 'corrected';
  const { fromUs, toUs } = await rangeOf(context, summaries, query, times);
  const ranges = summaries.map(({ gateway, stream }) => ({ gateway, stream, fromUs, toUs, times }));
  return { format, several, ranges };
}

/** The streams, and a format that can write them. */
async function choose(context: ApiContext, query: ExportParameters) {
  const summaries = await chosenStreams(context, query.gateway, query.stream);
  const isNamed = query.gateway.length === 1 && query.stream?.length === 1;
  const name = query.format ?? (isNamed ? defaultFormat(summaries[0].kind) : 'ndjson');
  // Streams that nobody named one by one are left out where the format has no place for them.
  const kinds = new Set(summaries.map(({ kind }) => kind));
  const fitting = [...kinds].filter((kind) => fits(name, kind));
  const format = formatFor(name, fitting[0] ?? summaries[0].kind);
  const chosen = query.stream ? summaries : summaries.filter(({ kind }) => fitting.includes(kind));
  for (const { kind } of chosen) formatFor(name, kind);
  const several = !isNamed;
  const gateways = new Set(chosen.map(({ gateway }) => gateway)).size;
  if (format.streams === 'one' && chosen.length > 1) {
    throw new FleetlogError(
      'FLEETLOG_USAGE',
      `The format ${name} takes one stream at a time; name it with --stream.`,
    );
  }
  if (format.streams === 'of-gateway' && gateways > 1) {
    throw new FleetlogError(
      'FLEETLOG_USAGE',
      `The format ${name} has no place for the name of a gateway; export one gateway at a time, or choose ndjson or csv.`,
    );
  }
  return { summaries: chosen, format, several };
}

function fits(name: FormatName, kind: StreamSummary['kind']): boolean {
  const { kinds }: { kinds: readonly string[] } = formats[name];
  return kinds.includes(kind);
}

/** The end is what was there at the call: an export of a live stream ends, too. */
async function rangeOf(
  { index, clock }: ApiContext,
  summaries: readonly StreamSummary[],
  query: ExportParameters,
  times: TimesName,
): Promise<{ fromUs: number; toUs: number }> {
  const nowUs = clock.nowUs();
  let firstTimeUs = Infinity;
  let lastTimeUs = -Infinity;
  for (const { gateway, stream } of summaries) {
    const bounds = await index.times(gateway, stream, times);
    if (!bounds) continue;
    firstTimeUs = Math.min(firstTimeUs, bounds.firstTimeUs);
    lastTimeUs = Math.max(lastTimeUs, bounds.lastTimeUs);
  }
  const isEmpty = firstTimeUs > lastTimeUs;
  const fromUs = query.from === undefined ? (isEmpty ? 0 : firstTimeUs) : parseTime(query.from, nowUs);
  const toUs = query.to === undefined ? (isEmpty ? 1 : lastTimeUs + 1) : parseTime(query.to, nowUs);
  if (query.from !== undefined && query.to !== undefined && fromUs >= toUs) {
    throw new FleetlogError('FLEETLOG_USAGE', `The range is empty: ${query.from} isn't before ${query.to}.`);
  }
  return { fromUs, toUs };
}

function tellRange(reply: FastifyReply, fromUs: number, toUs: number): void {
  void reply.header('fleetlog-from', isoMicros(fromUs)).header('fleetlog-to', isoMicros(toUs));
}

const headTrailer = (formatter: Formatter): StreamReplyOptions['trailers'] => ({
  names: [headTrailerName],
  values: () => ({ [headTrailerName]: Buffer.from(formatter.finalHead!()).toString('base64') }),
});
