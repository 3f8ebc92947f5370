import type { FastifyInstance } from 'fastify';
import { FleetlogError } from '@fleetlog/shared/errors';
import { findSignal } from '../query/names.js';
import { queryRaw, type QueryColumn } from '../query/raw.js';
import { rowContentTypes, rowWriter, type RowFormat } from '../query/row-formats.js';
import { streamSignals } from '../signals/directory.js';
import { fullName, type StreamSignal } from '../signals/stream-signal.js';
import { Traffic } from '../signals/traffic.js';
import { validityFields } from './catalogue-rows.js';
import { catchUp, type ApiContext } from './context.js';
import { checkFilter } from './find-stream.js';
import { ErrorBody } from './schemas.js';
import { QueryQuery, SignalsBody, SignalsQuery, type Signals } from './signal-schemas.js';
import { sendStream } from './stream-reply.js';
import { parseTime } from './time.js';

interface QueryParameters {
  gateway: string;
  signal: string[];
  from?: string;
  to?: string;
  format?: RowFormat;
  labels?: boolean;
}

/** Signals: which there are, and their values. */
export function signalRoutes(app: FastifyInstance, context: ApiContext): void {
  const { index, fleet, log, catalogue, clock, limits, logger } = context;

  app.get<{ Querystring: { gateway: string; stream?: string; match?: string } }>(
    '/v1/signals',
    {
      schema: {
        summary: 'Signals of a gateway, and how well the databases fit its traffic',
        querystring: SignalsQuery,
        response: { 200: SignalsBody, default: ErrorBody },
      },
    },
    async ({ query }, reply) => {
      await catchUp(context, reply);
      const { match = '', ...filter } = query;
      const all = await streamSignals(catalogue, filter);
      if (all.length === 0) await checkFilter(index, fleet, filter);
      const wanted = match.toLowerCase();
      return {
        databases: await databaseRows(context, filter),
        signals: all.filter((one) => fullName(one).toLowerCase().includes(wanted)).map(signalRow),
      };
    },
  );

  app.get<{ Querystring: QueryParameters }>(
    '/v1/query',
    {
      schema: {
        summary: 'Every value of some signals, by time',
        description: 'Streams. An answer whose chunked encoding does not end properly is incomplete.',
        querystring: QueryQuery,
        response: { default: ErrorBody },
      },
    },
    async ({ query }, reply) => {
      using _slot = context.exports.take();
      await catchUp(context, reply);
      const { gateway, format = 'csv', labels = false } = query;
      const all = await streamSignals(catalogue, { gateway });
      if (all.length === 0) {
        await checkFilter(index, fleet, { gateway });
        throw new FleetlogError(
          'FLEETLOG_NOT_FOUND',
          `No database is assigned to ${gateway}; "fleetlog assign --gateway ${gateway} --stream S --database N" does that.`,
        );
      }
      const columns = query.signal.map((name) => ({ name, signals: findSignal(name, all) }));
      const nowUs = clock.nowUs();
      const span = await spanOf(context, gateway, columns);
      const fromUs = query.from === undefined ? span.fromUs : parseTime(query.from, nowUs);
      const toUs = query.to === undefined ? span.toUs : parseTime(query.to, nowUs);
      if (query.from !== undefined && query.to !== undefined && fromUs >= toUs) {
        throw new FleetlogError(
          'FLEETLOG_USAGE',
          `The range is empty: ${query.from} isn't before ${query.to}.`,
        );
      }
      const clientGone = new AbortController();
      const writer = rowWriter(format, columns, { labels });
      await sendStream(reply, {
        chunks: queryRaw({ index, log, gateway, columns, fromUs, toUs, writer }),
        contentType: rowContentTypes[format],
        headFirst: false,
        idleMs: limits.idleMs,
        logger,
        clientGone,
      });
    },
  );
}

/** What there was at the call of the streams that are asked for: a query of a live stream ends, too. */
async function spanOf(
  { index }: ApiContext,
  gateway: string,
  columns: readonly QueryColumn[],
): Promise<{ fromUs: number; toUs: number }> {
  let fromUs = Infinity;
  let toUs = -Infinity;
  for (const stream of new Set(columns.map(({ signals }) => signals[0].stream))) {
    const times = await index.times(gateway, stream, 'corrected');
    if (!times) continue;
    fromUs = Math.min(fromUs, times.firstTimeUs);
    toUs = Math.max(toUs, times.lastTimeUs + 1);
  }
  return fromUs < toUs ? { fromUs, toUs } : { fromUs: 0, toUs: 0 };
}

async function databaseRows(
  { catalogue, index, log }: ApiContext,
  filter: { gateway: string; stream?: string },
): Promise<Signals['databases']> {
  const rows: Signals['databases'] = [];
  const traffic = new Traffic(index, log);
  for (const { gateway, stream, database, version, ...validity } of catalogue.assignments) {
    if (gateway !== filter.gateway || stream !== (filter.stream ?? stream)) continue;
    const loaded = await catalogue.load(database, version);
    const fit = await traffic.fit(gateway, stream, loaded.database, validity);
    rows.push({
      stream,
      database,
      version: loaded.version.hash,
      ...validityFields(validity),
      ...(fit && { identifiers: fit.identifiers, identifiersKnown: fit.known }),
    });
  }
  return rows;
}

function signalRow(one: StreamSignal): Signals['signals'][number] {
  const { unit, database, comment, labels, cycleTimeMs } = one;
  return {
    name: fullName(one),
    unit,
    database,
    comment,
    labels: labels?.size ?? 0,
    ...(cycleTimeMs !== undefined && { cycleTimeMs }),
    ...validityFields(one),
  };
}
