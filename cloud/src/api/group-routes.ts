import type { FastifyInstance } from 'fastify';
import type { GroupState } from '../consumers/groups.js';
import { startAt } from '../consumers/start-at.js';
import { isoMicros } from '../export/iso-time.js';
import { entriesBetween } from '../log/entries-between.js';
import type { ApiContext } from './context.js';
import {
  DeletedBody,
  GroupBody,
  GroupParams,
  GroupsBody,
  ResetBody,
  ResetQuery,
  type GroupList,
} from './group-schemas.js';
import { ErrorBody, NoQuery } from './schemas.js';
import { parseTime } from './time.js';

/** Groups of consumers: how far they are, and putting them elsewhere. */
export function groupRoutes(app: FastifyInstance, context: ApiContext): void {
  const { log, groups, clock } = context;

  app.get(
    '/v1/groups',
    {
      schema: {
        summary: 'Groups of consumers, and how far behind each is',
        querystring: NoQuery,
        response: { 200: GroupsBody, default: ErrorBody },
      },
    },
    async () => ({ groups: await Promise.all(groups.states().map((state) => groupRow(context, state))) }),
  );

  app.get<{ Params: { group: string } }>(
    '/v1/groups/:group',
    {
      schema: {
        summary: 'A group, by partition',
        params: GroupParams,
        querystring: NoQuery,
        response: { 200: GroupBody, default: ErrorBody },
      },
    },
    async ({ params: { group } }) => {
      const state = groups.state(group);
      const partitions = await Promise.all(
        state.partitions.map(async ({ partition, next, end, member }) => ({
          partition,
          next,
          end,
          lagBatches: await entriesBetween(log, partition, next, end),
          ...(member !== undefined && { member }),
        })),
      );
      return { ...(await groupRow(context, state)), partitions };
    },
  );

  app.post<{ Params: { group: string }; Querystring: { to: string; dryRun?: boolean } }>(
    '/v1/groups/:group/reset',
    {
      schema: {
        summary: 'Puts the checkpoints of a group that nobody reads elsewhere',
        params: GroupParams,
        querystring: ResetQuery,
        response: { 200: ResetBody, default: ErrorBody },
      },
    },
    async ({ params: { group }, query: { to, dryRun = false } }) => {
      const before = groups.state(group);
      const target = await startAt(log, to, (text) => parseTime(text, clock.nowUs()));
      if (!dryRun) await groups.place(group, target);
      const partitions = before.partitions.map(({ partition, next, end }) => ({
        partition,
        from: next,
        to: target.get(partition) ?? next,
        end,
      }));
      return { group, dryRun, partitions };
    },
  );

  app.delete<{ Params: { group: string } }>(
    '/v1/groups/:group',
    {
      schema: {
        summary: 'Forgets a group that nobody reads',
        params: GroupParams,
        querystring: NoQuery,
        response: { 200: DeletedBody, default: ErrorBody },
      },
    },
    async ({ params: { group } }) => {
      await groups.delete(group);
      return { deleted: group };
    },
  );
}

/** Lag counts from the checkpoint: what a member was given and hasn't committed isn't finished. */
async function groupRow(
  { log, clock }: ApiContext,
  { group, members, partitions }: GroupState,
): Promise<GroupList['groups'][number]> {
  let lagBatches = 0;
  let committedUs = 0;
  let oldestUs = Infinity;
  for (const { partition, next, end, committedUs: atUs } of partitions) {
    lagBatches += await entriesBetween(log, partition, next, end);
    committedUs = Math.max(committedUs, atUs);
    if (next >= end) continue;
    for await (const entry of log.read(partition, next, { limit: 1 })) {
      oldestUs = Math.min(oldestUs, entry.receiveTimeUs);
    }
  }
  return {
    group,
    members,
    lagBatches,
    lagSeconds: oldestUs === Infinity ? 0 : Math.max(0, (clock.nowUs() - oldestUs) / 1e6),
    ...(committedUs > 0 && { committed: isoMicros(committedUs) }),
  };
}
