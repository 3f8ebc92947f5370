import type { FastifyInstance } from 'fastify';
import { FleetlogError } from '@fleetlog/shared/errors';
import { isoMicros } from '../export/iso-time.js';
import { latestValues, type LatestValue } from '../query/latest.js';
import { intersection } from '../query/plan.js';
import { QueryWatch } from '../query/watch.js';
import { fullName } from '../signals/stream-signal.js';
import { catchUp, type ApiContext } from './context.js';
import { LatestBody, LatestQuery, type Latest } from './query-schemas.js';
import { ErrorBody } from './schemas.js';
import { parseDuration } from './time.js';
import { findWhose } from './whose.js';

interface LatestParameters {
  gateway?: string;
  vehicle?: string;
  stream?: string;
  match?: string;
  within?: string;
}

/** The last value of everything. */
export function latestRoutes(app: FastifyInstance, context: ApiContext): void {
  const { index, log, clock, limits } = context;

  app.get<{ Querystring: LatestParameters }>(
    '/v1/latest',
    {
      schema: {
        summary: 'The last value of each signal',
        querystring: LatestQuery,
        response: { 200: LatestBody, default: ErrorBody },
      },
    },
    async ({ query }, reply) => {
      using _slot = context.exports.take();
      const { stream, match = '', within = '1h' } = query;
      const withinUs = parseDuration(within);
      await catchUp(context, reply);
      const whose = await findWhose(context, query);
      const wanted = match.toLowerCase();
      const signals = whose.signals.filter(
        (one) => (stream ?? one.stream) === one.stream && fullName(one).toLowerCase().includes(wanted),
      );
      const gone = new AbortController();
      reply.raw.on('close', () =>
        gone.abort(new FleetlogError('FLEETLOG_INTERRUPTED', 'The client is gone.')),
      );
      const { check } = new QueryWatch(
        { rowsMax: Infinity, timeMsMax: limits.queryTimeMsMax },
        clock,
        gone.signal,
      );
      const latest = new Map<string, LatestValue>();
      for (const own of Map.groupBy(signals, (one) => `${one.gateway}/${one.stream}`).values()) {
        const times = await index.times(own[0].gateway, own[0].stream, 'corrected');
        if (!times) continue;
        const there = { fromUs: times.lastTimeUs + 1 - withinUs, toUs: times.lastTimeUs + 1 };
        for (const range of whose.gateways.get(own[0].gateway) ?? []) {
          const [both] = intersection(range, there);
          if (!both) continue;
          const values = await latestValues({ index, log, check }, own[0], own, both);
          for (const value of values.values()) {
            const name = fullName(value.signal);
            if ((latest.get(name)?.timeUs ?? -Infinity) <= value.timeUs) latest.set(name, value);
          }
        }
      }
      const rows = Array.from(latest, ([name, value]) => row(name, value));
      const missing = new Set(signals.map(fullName)).size - rows.length;
      return { signals: rows.sort((a, b) => (a.name < b.name ? -1 : 1)), missing };
    },
  );
}

function row(name: string, { signal, timeUs, value }: LatestValue): Latest['signals'][number] {
  const label = signal.labels?.get(value);
  return {
    name,
    time: isoMicros(timeUs),
    value: Number.isFinite(value) ? value : null,
    ...(label !== undefined && { label }),
    unit: signal.unit,
    database: signal.database,
  };
}
