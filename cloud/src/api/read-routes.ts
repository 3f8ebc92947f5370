import type { FastifyInstance } from 'fastify';
import { FleetlogError } from '@fleetlog/shared/errors';
import { exportRecords } from '../export/export.js';
import { defaultFormat, formatFor, type FormatName } from '../export/formats.js';
import type { Formatter } from '../export/formatter.js';
import type { StreamFilter } from '../index/index.js';
import type { TimesName } from '../time/correction.js';
import { catchUp, type ApiContext } from './context.js';
import { checkFilter, findStream } from './find-stream.js';
import { ErrorBody, ExportQuery, TailQuery } from './schemas.js';
import { sendStream, type StreamReplyOptions } from './stream-reply.js';
import { tail, tailStarts, type TailOptions } from './tail.js';
import type { TailFormat } from './tail-format.js';
import { parseTime } from './time.js';

interface ExportParameters {
  gateway: string;
  stream: string;
  from?: string;
  to?: string;
  format?: FormatName;
  times?: TimesName;
}

/** Base64 of what a file should begin with instead of its first bytes, where that is known at the end only. */
const headTrailerName = 'fleetlog-head';

const headTrailer = (formatter: Formatter): StreamReplyOptions['trailers'] => ({
  names: [headTrailerName],
  values: () => ({ [headTrailerName]: Buffer.from(formatter.finalHead!()).toString('base64') }),
});

/** The records themselves: of the past, and as they come. */
export function readRoutes(app: FastifyInstance, context: ApiContext): void {
  const { log, index, fleet, logger, clock, limits } = context;

  app.get<{ Querystring: ExportParameters }>(
    '/v1/export',
    {
      schema: {
        summary: 'The records of a stream, in event-time order',
        description:
          'Streams. An answer whose chunked encoding does not end properly is incomplete. ' +
          'The trailer fleetlog-head is base64 of what a blf file should begin with, now that its size is known.',
        querystring: ExportQuery,
        response: { default: ErrorBody },
      },
    },
    async ({ query }, reply) => {
      using _slot = context.exports.take();
      await catchUp(context, reply);
      const summary = await findStream(index, fleet, query.gateway, query.stream);
      const format = formatFor(query.format ?? defaultFormat(summary.kind), summary.kind);
      const nowUs = clock.nowUs();
      // The end is what was there at the call: an export of a live stream ends, too.
      const { times = 'corrected' } = query;
      const bounds = await index.times(query.gateway, query.stream, times);
      const fromUs = query.from === undefined ? (bounds?.firstTimeUs ?? 0) : parseTime(query.from, nowUs);
      const toUs = query.to === undefined ? (bounds?.lastTimeUs ?? 0) + 1 : parseTime(query.to, nowUs);
      if (query.from !== undefined && query.to !== undefined && fromUs >= toUs) {
        throw new FleetlogError(
          'FLEETLOG_USAGE',
          `The range is empty: ${query.from} isn't before ${query.to}.`,
        );
      }
      const range = { gateway: query.gateway, stream: query.stream, fromUs, toUs, times };
      const formatter = format.create();
      await sendStream(reply, {
        chunks: exportRecords({ index, log, range, formatter }),
        trailers: formatter.finalHead && headTrailer(formatter),
        contentType: format.contentType,
        headFirst: false,
        idleMs: limits.idleMs,
        logger,
        clientGone: new AbortController(),
      });
    },
  );

  app.get<{ Querystring: StreamFilter & { from?: string; format?: TailFormat; times?: TimesName } }>(
    '/v1/tail',
    {
      schema: {
        summary: 'Records as they enter the log',
        description: 'Streams until the client ends it. An empty line is a sign of life.',
        querystring: TailQuery,
        response: { default: ErrorBody },
      },
    },
    async ({ query }, reply) => {
      using _slot = context.tails.take();
      const { from, format = 'ndjson', times = 'corrected', ...filter } = query;
      const fromUs = from === undefined ? undefined : parseTime(from, clock.nowUs());
      const starts = await tailStarts(log, filter, fromUs); // first of all: "now" is when the client asked
      await catchUp(context, reply);
      await checkFilter(index, fleet, filter);
      const clientGone = new AbortController();
      const { heartbeatMs, idleMs } = limits;
      const correct: TailOptions['correct'] =
        times === 'corrected' ? (header) => index.correction(header) : undefined;
      await sendStream(reply, {
        chunks: tail({
          log,
          filter,
          format,
          starts,
          correct,
          heartbeatMs,
          logger,
          signal: clientGone.signal,
        }),
        contentType: format === 'ndjson' ? 'application/x-ndjson' : 'text/plain; charset=utf-8',
        headFirst: true,
        idleMs,
        logger,
        clientGone,
      });
    },
  );
}
