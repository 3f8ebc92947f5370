import type { FastifyInstance } from 'fastify';
import { streamSignals } from '../signals/directory.js';
import { fullName, type StreamSignal } from '../signals/stream-signal.js';
import { Traffic } from '../signals/traffic.js';
import { validityFields } from './catalogue-rows.js';
import { catchUp, type ApiContext } from './context.js';
import { checkFilter } from './find-stream.js';
import { ErrorBody } from './schemas.js';
import { SignalsBody, SignalsQuery, type Signals } from './signal-schemas.js';

/** Which signals there are. */
export function signalRoutes(app: FastifyInstance, context: ApiContext): void {
  const { index, fleet } = context;

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
      const all = await streamSignals(context, filter);
      if (all.length === 0) await checkFilter(index, fleet, filter);
      const wanted = match.toLowerCase();
      return {
        databases: await databaseRows(context, filter),
        receivers: await receiverRows(context, filter),
        signals: all.filter((one) => fullName(one).toLowerCase().includes(wanted)).map(signalRow),
      };
    },
  );
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

/** What the sampled lines of streams are whose reports say something. */
async function receiverRows(
  { recorded, index }: ApiContext,
  filter: { gateway: string; stream?: string },
): Promise<Signals['receivers']> {
  const rows: Signals['receivers'] = [];
  for await (const { gateway, stream, kind } of index.streams(filter)) {
    if (kind !== 'lines') continue;
    const { reports, types, wrongChecksums } = await recorded.receiver(gateway, stream);
    if (reports > 0) rows.push({ stream, reports, wrongChecksums, types: types.map(({ name }) => name) });
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
