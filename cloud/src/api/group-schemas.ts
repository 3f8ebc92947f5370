import { Type, type Static } from '@fleetlog/shared/schema';
import { timesNames } from '../time/correction.js';
import { consumeFormats, recordFormats } from './consume-format.js';
import { consumeOrders } from './consume-order.js';

const closed = { additionalProperties: false };
const choice = (names: readonly string[], description: string) =>
  Type.String({ enum: [...names], description });
const Name = (description: string) => Type.String({ minLength: 1, maxLength: 63, description });
const Count = Type.Integer({ minimum: 0 });
const Where = Type.String({
  minLength: 1,
  maxLength: 2048,
  description: 'earliest, latest, a time of receipt, or PARTITION:OFFSET,…',
});
const Names = (what: string) =>
  Type.Array(Name(what), { maxItems: 256, description: `Only these; may be given several times.` });

export const GroupParams = Type.Object({ group: Name('Group.') });
export const MemberParams = Type.Object({ group: Name('Group.'), member: Name('Member, as "joined" says.') });

export const ConsumeQuery = Type.Object(
  {
    group: Name('Group of consumers; made with the first member.'),
    from: Type.Optional(Where),
    gateway: Type.Optional(Names('Gateway.')),
    stream: Type.Optional(Names('Stream.')),
    format: Type.Optional(choice(consumeFormats, 'ndjson where not given.')),
    decode: Type.Optional(
      choice(
        recordFormats,
        'Records as text in front of their batch, in the place of its bytes; `signals`: a line for each value.',
      ),
    ),
    times: Type.Optional(
      choice(timesNames, 'Of decoded records: as the clock is known now (where not given), or as stamped.'),
    ),
    order: Type.Optional(
      choice(
        consumeOrders,
        'Of batches: as they arrived (where not given), or as they begin in event time, for which each waits for what ' +
          'gateways have yet. Then each has `next`, up to which may be committed when it is finished, and `late` where ' +
          'one that began later was given before.',
      ),
    ),
    wait: Type.Optional(
      Type.String({
        maxLength: 32,
        description:
          'Longest that a batch waits in the order of event time, since its receipt; 30s where not given.',
      }),
    ),
    untilEnd: Type.Optional(Type.Boolean({ description: 'Ends with what is in the log now.' })),
    credit: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 1_000_000,
        description:
          'Of a WebSocket: batches that may come before the client gives more; without it any number.',
      }),
    ),
    silence: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 3600,
        description: 'Seconds without a commit (it may be empty) after which the member counts as dead.',
      }),
    ),
  },
  closed,
);

export const CommitBody = Type.Object(
  {
    next: Type.Record(Type.String({ pattern: '^\\d{1,4}$' }), Count, {
      description: 'By partition: offset of the first entry that is not finished. Empty: a sign of life.',
    }),
  },
  closed,
);
export const CommittedBody = Type.Object({
  refused: Type.Array(Count, { description: "Partitions that are not this member's (any more)." }),
});

const GroupFields = Type.Object({
  group: Type.String(),
  members: Count,
  lagBatches: Type.Integer({
    minimum: 0,
    description: 'Batches behind the checkpoint, to the end of the log.',
  }),
  lagSeconds: Type.Optional(
    Type.Number({ description: 'Since the receipt of the oldest batch that is not finished.' }),
  ),
  committed: Type.Optional(Type.String({ format: 'date-time' })),
});
export const GroupsBody = Type.Object({ groups: Type.Array(GroupFields) });
export const GroupBody = Type.Object({
  ...GroupFields.properties,
  partitions: Type.Array(
    Type.Object({
      partition: Count,
      next: Count,
      end: Count,
      lagBatches: Count,
      member: Type.Optional(Type.String()),
    }),
  ),
});
export const ResetQuery = Type.Object({ to: Where, dryRun: Type.Optional(Type.Boolean()) }, closed);
export const ResetBody = Type.Object({
  group: Type.String(),
  dryRun: Type.Boolean(),
  partitions: Type.Array(
    Type.Object({ partition: Count, from: Type.Optional(Count), to: Count, end: Count }),
  ),
});
export const DeletedBody = Type.Object({ deleted: Type.String() });

export type GroupList = Static<typeof GroupsBody>;
export type GroupDetails = Static<typeof GroupBody>;
export type Reset = Static<typeof ResetBody>;
