import type { FastifyInstance } from 'fastify';
import { FleetlogError } from '@fleetlog/shared/errors';
import { startAt } from '../consumers/start-at.js';
import type { ConsumerEvent } from '../consumers/types.js';
import type { TimesName } from '../time/correction.js';
import { ConsumeFormatter, type ConsumeFormat, type RecordFormat } from './consume-format.js';
import { SocketUpgrades } from './consume-socket.js';
import { orderOf, type ConsumeOrder } from './consume-order.js';
import type { ApiContext } from './context.js';
import { CommitBody, CommittedBody, ConsumeQuery, MemberParams } from './group-schemas.js';
import { ErrorBody } from './schemas.js';
import { SignalLines } from './signal-lines.js';
import { sendStream } from './stream-reply.js';
import { parseTime } from './time.js';

interface ConsumeParameters {
  group: string;
  from?: string;
  gateway?: string[];
  stream?: string[];
  format?: ConsumeFormat;
  decode?: RecordFormat;
  times?: TimesName;
  untilEnd?: boolean;
  silence?: number;
  credit?: number;
  order?: ConsumeOrder;
  wait?: string;
}

/** A member at work may take its time: its own signs of life count, or its connection. */
const idleMs = 600_000;
const commitBytesMax = 64 * 1024;

/** The log for programs, at their own pace and with a checkpoint for each group. */
export function consumeRoutes(app: FastifyInstance, context: ApiContext): void {
  const { log, groups, index, clock, logger, limits } = context;
  const upgrades = new SocketUpgrades(app);

  app.get<{ Querystring: ConsumeParameters }>(
    '/v1/consume',
    {
      schema: {
        summary: 'Batches for a member of a group, from its checkpoint on',
        description:
          'Streams until the client ends it; nothing is read that the client has not room for. The members of a group ' +
          'share its partitions. What is not committed comes again, to this member or another. Asked for as a WebSocket ' +
          '(RFC 6455) it comes in messages of whole lines or items, and takes messages `{"commit": {PARTITION: NEXT}}`, ' +
          'which are answered by an event `committed`, and `{"credit": BATCHES}`.',
        querystring: ConsumeQuery,
        response: { default: ErrorBody },
      },
    },
    async (request, reply) => {
      const { query } = request;
      const { format = 'ndjson', decode, times = 'corrected', from = 'latest', silence } = query;
      if (format === 'ndjson' && decode === 'candump') {
        throw new FleetlogError(
          'FLEETLOG_USAGE',
          'Lines of candump come with format=cbor; use decode=ndjson.',
        );
      }
      const order = orderOf({ ...query, times }, index);
      const isSocket = upgrades.isAsked(request);
      if (query.credit !== undefined && !isSocket) {
        throw new FleetlogError(
          'FLEETLOG_USAGE',
          'credit goes with a WebSocket; a stream has its connection.',
        );
      }
      const clientGone = new AbortController();
      const joined = await groups.join(
        query.group,
        () => startAt(log, from, (text) => parseTime(text, clock.nowUs())),
        {
          filter: { gateways: setOf(query.gateway), streams: setOf(query.stream) },
          untilEnd: query.untilEnd ?? false,
          silenceMsMax: silence === undefined ? undefined : silence * 1000,
          heartbeatMs: limits.heartbeatMs,
          order,
        },
        clientGone.signal,
      );
      const correct = times === 'corrected' ? index.correction.bind(index) : undefined;
      const formatter = new ConsumeFormatter({
        format,
        decode,
        correct,
        hasCompany: () => groups.memberCount > 1,
        signals: new SignalLines(context),
      });
      if (isSocket) {
        await upgrades.serve(request, reply, {
          joined,
          formatter,
          isText: format === 'ndjson',
          credit: query.credit,
          commit: (positions) => groups.commit(query.group, joined.member, positions),
          idleMs,
          clientGone,
        });
        return;
      }
      await sendStream(reply, {
        chunks: formatted(joined.events, formatter),
        contentType: format === 'ndjson' ? 'application/x-ndjson' : 'application/cbor-seq',
        headFirst: true,
        idleMs,
        logger,
        clientGone,
      });
    },
  );

  app.post<{ Params: { group: string; member: string }; Body: { next: Record<string, number> } }>(
    '/v1/groups/:group/members/:member/commit',
    {
      bodyLimit: commitBytesMax,
      schema: {
        summary: 'Says how far a member is; durable when it is answered',
        params: MemberParams,
        body: CommitBody,
        response: { 200: CommittedBody, default: ErrorBody },
      },
    },
    async ({ params: { group, member }, body }) => {
      const next = new Map(Object.entries(body.next).map(([partition, at]) => [Number(partition), at]));
      return { refused: await groups.commit(group, member, next) };
    },
  );
}

const setOf = (names: string[] | undefined): ReadonlySet<string> | undefined => names && new Set(names);

async function* formatted(
  pages: AsyncGenerator<ConsumerEvent[]>,
  formatter: ConsumeFormatter,
): AsyncGenerator<Uint8Array> {
  for await (const events of pages) yield* formatter.format(events);
}
