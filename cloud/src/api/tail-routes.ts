import type { FastifyInstance } from 'fastify';
import type { StreamFilter } from '../index/index.js';
import type { TimesName } from '../time/correction.js';
import { catchUp, type ApiContext } from './context.js';
import { checkFilter } from './find-stream.js';
import { ErrorBody, TailQuery } from './schemas.js';
import { sendStream } from './stream-reply.js';
import { tail, tailStarts, type TailOptions } from './tail.js';
import type { TailFormat } from './tail-format.js';
import { parseTime } from './time.js';

/** Records as they come. */
export function tailRoutes(app: FastifyInstance, context: ApiContext): void {
  const { log, index, fleet, logger, clock, limits } = context;

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
