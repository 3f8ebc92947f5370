import type { FastifyInstance } from 'fastify';
import { isoMicros } from '../export/iso-time.js';
import type { Hold } from '../retention/holds.js';
import type { ApiContext } from './context.js';
import {
  HoldBody,
  HoldParams,
  HoldQuery,
  HoldRemoveQuery,
  HoldsBody,
  HoldsQuery,
  type HoldRow,
} from './hold-schemas.js';
import { ErrorBody } from './schemas.js';
import { parseTime } from './time.js';

/** Legal holds: what nothing may trim. */
export function holdRoutes(app: FastifyInstance, { retention, clock }: ApiContext): void {
  app.get<{ Querystring: { all?: boolean } }>(
    '/v1/holds',
    {
      schema: {
        summary: 'Legal holds, and who asked for them',
        querystring: HoldsQuery,
        response: { 200: HoldsBody, default: ErrorBody },
      },
    },
    async ({ query: { all = false } }) => {
      const holds = await retention.withHolds((kept) => kept.all());
      return { holds: holds.filter(({ removedUs }) => all || removedUs === undefined).map(holdRow) };
    },
  );

  app.post<{
    Querystring: { gateway?: string; stream?: string; from: string; to: string; reason: string; by?: string };
  }>(
    '/v1/holds',
    {
      schema: {
        summary: 'Holds the records of a range of event time: nothing trims them from then on',
        querystring: HoldQuery,
        response: { 200: HoldBody, default: ErrorBody },
      },
    },
    async ({ query: { from, to, ...hold } }) => {
      const nowUs = clock.nowUs();
      const asked = { ...hold, fromUs: parseTime(from, nowUs), toUs: parseTime(to, nowUs) };
      return holdRow(await retention.withHolds((holds) => holds.add(asked)));
    },
  );

  app.delete<{ Params: { id: string }; Querystring: { reason: string; by?: string } }>(
    '/v1/holds/:id',
    {
      schema: {
        summary: 'Ends a hold; it stays in the list of all, with who ended it and why',
        params: HoldParams,
        querystring: HoldRemoveQuery,
        response: { 200: HoldBody, default: ErrorBody },
      },
    },
    async ({ params: { id }, query }) =>
      holdRow(await retention.withHolds((holds) => holds.remove(id, query))),
  );
}

function holdRow({ fromUs, toUs, addedUs, removedUs, ...hold }: Hold): HoldRow {
  return {
    ...hold,
    from: isoMicros(fromUs),
    to: isoMicros(toUs),
    added: isoMicros(addedUs),
    ...(removedUs !== undefined && { removed: isoMicros(removedUs) }),
  };
}
