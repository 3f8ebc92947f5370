import type { FastifyInstance } from 'fastify';
import { FleetlogError } from '@fleetlog/shared/errors';
import { isoMicros } from '../export/iso-time.js';
import type { BucketOptions, GapMode } from '../query/bucket-rows.js';
import type { Aggregate } from '../query/cell.js';
import { findSignal } from '../query/names.js';
import {
  intersection,
  planStreams,
  type PlannedStream,
  type QueryColumn,
  type TimeRange,
} from '../query/plan.js';
import { query, type QueryOptions } from '../query/query.js';
import { rowContentTypes, rowWriter, type RowFormat, type RowLayout } from '../query/row-formats.js';
import { streamSeries } from '../query/stream-series.js';
import { QueryWatch, type QueryStop } from '../query/watch.js';
import { rolledSeries, rollupStep } from '../rollups/rolled.js';
import { catchUp, type ApiContext } from './context.js';
import { QueryQuery } from './query-schemas.js';
import { ErrorBody } from './schemas.js';
import { sendStream } from './stream-reply.js';
import { parseDuration, parseTime } from './time.js';
import { checkAssigned, checkTurns, findWhose } from './whose.js';

interface QueryParameters {
  gateway?: string;
  vehicle?: string;
  signal: string[];
  from?: string;
  to?: string;
  every?: string;
  agg?: Aggregate;
  gaps?: GapMode;
  layout?: RowLayout;
  format?: RowFormat;
  labels?: boolean;
  limit?: number;
}

/** Says, behind the answer, which limit ended it and the time of the first row that is missing. */
const stopTrailer = 'fleetlog-stopped';

/** Values of signals. */
export function queryRoutes(app: FastifyInstance, context: ApiContext): void {
  const { index, log, clock, limits, logger } = context;

  app.get<{ Querystring: QueryParameters }>(
    '/v1/query',
    {
      schema: {
        summary: 'Every value of some signals by time, or what they sum up to in buckets',
        description:
          'Streams. An answer whose chunked encoding does not end properly is incomplete; one that a limit has ' +
          `ended has the trailer ${stopTrailer}: rows or time, and the time of the first row that is missing.`,
        querystring: QueryQuery,
        response: { default: ErrorBody },
      },
    },
    async ({ query: asked }, reply) => {
      using _slot = context.exports.take();
      await catchUp(context, reply);
      const columns = await findColumns(context, asked);
      const { streams, range } = await planned(context, columns, asked);
      const buckets = bucketsOf(asked, range, limits.queryRowsMax);
      const { format = 'csv', labels = false, layout = 'wide', limit = Infinity } = asked;
      const clientGone = new AbortController();
      const rowsMax = Math.min(limit, limits.queryRowsMax);
      const watch = new QueryWatch({ rowsMax, timeMsMax: limits.queryTimeMsMax }, clock, clientGone.signal);
      const writer = rowWriter(format, columns, { layout, labels, aggregate: buckets?.aggregate });
      const { rollups, columnStore } = context;
      const parts = { index, log, columnStore, check: watch.check };
      const sumsOf: QueryOptions['sumsOf'] = (planned, everyUs) => {
        const stepUs = rollups && rollupStep(everyUs, planned);
        return rollups && stepUs !== undefined
          ? rolledSeries({ ...parts, rollups, nowMs: clock.nowUs() / 1000 }, planned, stepUs)
          : streamSeries(parts, planned);
      };
      await sendStream(reply, {
        chunks: query({ ...parts, sumsOf, streams, columns: columns.length, buckets, writer, watch }),
        contentType: rowContentTypes[format],
        headFirst: false,
        idleMs: limits.idleMs,
        logger,
        clientGone,
        trailers: {
          names: [stopTrailer],
          values: () => (watch.stop ? { [stopTrailer]: stopText(watch.stop) } : {}),
        },
      });
    },
  );
}

const stopText = ({ reason, atUs }: QueryStop): string =>
  Number.isFinite(atUs) ? `${reason} ${isoMicros(atUs)}` : reason;

/** A signal that is asked for, and when the gateways that have it count. */
export interface AskedColumn extends QueryColumn {
  rangesOf: (gateway: string) => readonly TimeRange[];
}

/** Errors: FLEETLOG_NOT_FOUND, FLEETLOG_USAGE for names that aren't signals, or are several. */
export async function findColumns(
  context: ApiContext,
  asked: Pick<QueryParameters, 'gateway' | 'vehicle' | 'signal'>,
): Promise<AskedColumn[]> {
  const whose = await findWhose(context, asked);
  const columns: AskedColumn[] = [];
  for (const name of asked.signal) {
    await checkAssigned(context, whose, name);
    const signals = findSignal(name, whose.signals);
    checkTurns(whose, name, signals);
    columns.push({ name, signals, rangesOf: (gateway) => whose.gateways.get(gateway) ?? [] });
  }
  return columns;
}

/** What has to be read: no more than there was at the call, so that a query of a live stream ends, too. */
export async function planned(
  { index, clock }: ApiContext,
  columns: readonly AskedColumn[],
  { from, to }: Pick<QueryParameters, 'from' | 'to'>,
): Promise<{ streams: PlannedStream[]; range: TimeRange }> {
  const nowUs = clock.nowUs();
  const fromUs = from === undefined ? -Infinity : parseTime(from, nowUs);
  const toUs = to === undefined ? Infinity : parseTime(to, nowUs);
  if (fromUs >= toUs) {
    throw new FleetlogError('FLEETLOG_USAGE', `The range is empty: ${from} isn't before ${to}.`);
  }
  const [{ rangesOf }] = columns;
  const streams: PlannedStream[] = [];
  for (const planned of planStreams(columns, rangesOf)) {
    const times = await index.times(planned.gateway, planned.stream, 'corrected');
    if (!times) continue;
    const range = { fromUs: Math.max(fromUs, times.firstTimeUs), toUs: Math.min(toUs, times.lastTimeUs + 1) };
    streams.push({ ...planned, ranges: planned.ranges.flatMap((one) => intersection(one, range)) });
  }
  streams.sort((a, b) => (a.ranges[0]?.fromUs ?? 0) - (b.ranges[0]?.fromUs ?? 0));
  const ranges = streams.flatMap((one) => one.ranges);
  return {
    streams,
    range: {
      fromUs: Math.min(...ranges.map((one) => one.fromUs)),
      toUs: Math.max(...ranges.map((one) => one.toUs)),
    },
  };
}

function bucketsOf(
  { every, agg, gaps = 'mark' }: QueryParameters,
  range: TimeRange,
  rowsMax: number,
): Omit<BucketOptions, 'columns'> | undefined {
  if (every === undefined) {
    if (agg === undefined) return undefined;
    throw new FleetlogError(
      'FLEETLOG_USAGE',
      `What is ${agg} to be taken of? Say so with every, such as 1s.`,
    );
  }
  const everyUs = parseDuration(every);
  const rows = (range.toUs - range.fromUs) / everyUs;
  if (gaps === 'fill' && rows > rowsMax) {
    throw new FleetlogError(
      'FLEETLOG_USAGE',
      `That would be ${Math.ceil(rows).toLocaleString('en')} rows of ${every}, and the limit is ` +
        `${rowsMax.toLocaleString('en')}; choose longer buckets, a shorter range, or gaps=mark.`,
    );
  }
  return { everyUs, aggregate: agg ?? 'mean', gaps, ...range };
}
