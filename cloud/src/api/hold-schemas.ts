import { Type, type Static } from '@fleetlog/shared/schema';

const Name = (description: string) => Type.String({ minLength: 1, maxLength: 63, description });
const Moment = (description: string) => Type.String({ minLength: 1, maxLength: 64, description });
const Reason = () => Type.String({ minLength: 1, maxLength: 1000, description: 'Why, for who asks later.' });
const By = () => Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'Who says so.' }));
const Time = Type.String({ format: 'date-time' });
const closed = { additionalProperties: false };

export const HoldsQuery = Type.Object(
  { all: Type.Optional(Type.Boolean({ description: 'Those that were ended, too.' })) },
  closed,
);
export const HoldQuery = Type.Object(
  {
    gateway: Type.Optional(Name('Only of this gateway; of all without it.')),
    stream: Type.Optional(Name('Only of this stream; of all without it.')),
    from: Moment('First event time, inclusive.'),
    to: Moment('Last event time, exclusive; may be yet to come.'),
    reason: Reason(),
    by: By(),
  },
  closed,
);
export const HoldParams = Type.Object({ id: Name('As listed.') });
export const HoldRemoveQuery = Type.Object({ reason: Reason(), by: By() }, closed);

export const HoldBody = Type.Object({
  id: Type.String(),
  gateway: Type.Optional(Type.String()),
  stream: Type.Optional(Type.String()),
  from: Time,
  to: Time,
  reason: Type.String(),
  by: Type.Optional(Type.String()),
  added: Time,
  removed: Type.Optional(Time),
  removedReason: Type.Optional(Type.String()),
  removedBy: Type.Optional(Type.String()),
});
export const HoldsBody = Type.Object({ holds: Type.Array(HoldBody) });

export type HoldRow = Static<typeof HoldBody>;
export type HoldList = Static<typeof HoldsBody>;
