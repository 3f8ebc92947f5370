import type { FastifyInstance } from 'fastify';
import { entriesBetween } from '../log/entries-between.js';
import type { ApiContext } from './context.js';
import { ErrorBody, HealthBody, NoQuery, StatusBody } from './schemas.js';

/** How the cloud is. */
export function stateRoutes(app: FastifyInstance, context: ApiContext): void {
  const { log, index, fleet, disk, clock, version, startedUs } = context;

  app.get(
    '/v1/status',
    {
      schema: {
        summary: 'Counters and sizes',
        querystring: NoQuery,
        response: { 200: StatusBody, default: ErrorBody },
      },
    },
    async () => {
      const presence = fleet.presence();
      return {
        version,
        uptimeSeconds: (clock.monotonicUs() - startedUs) / 1e6,
        rssBytes: process.memoryUsage.rss(),
        gateways: {
          known: presence.length,
          connected: presence.filter(({ connected }) => connected).length,
        },
        ingest: fleet.counters,
        log: { bytes: await log.diskBytes(), batches: await batchesIn(context), partitions: log.ends() },
        index: { lagBatches: index.lag(), skippedBatches: index.skipped(), bytes: await index.diskBytes() },
        disk: {
          freeBytes: disk.freeBytes,
          minFreeBytes: disk.minFreeBytes,
          ingestPaused: disk.isFull,
        },
        running: { exports: context.exports.running, tails: context.tails.running },
      };
    },
  );

  app.get(
    '/v1/health',
    {
      schema: {
        summary: 'Whether the cloud serves',
        querystring: NoQuery,
        response: { 200: HealthBody, default: ErrorBody },
      },
    },
    () => ({ status: 'ok' }),
  );

  app.get('/v1/openapi.json', { schema: { hide: true } }, () => app.swagger());
}

/** Not the distance of the ends: markers of transactions have offsets, too, and what was trimmed had. */
async function batchesIn({ log, index }: ApiContext): Promise<number> {
  let batches = 0;
  if (log.isDense) {
    for (const { partition, first, next } of log.ends()) {
      batches += await entriesBetween(log, partition, first, next);
    }
  } else for await (const stream of index.streams()) batches += stream.batches;
  return batches;
}
