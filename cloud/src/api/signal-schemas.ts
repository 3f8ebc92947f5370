import { Type, type Static } from '@fleetlog/shared/schema';

/* What the routes of signals take and give. */
const Count = Type.Integer({ minimum: 0 });
const Time = Type.String({ format: 'date-time' });
const closed = { additionalProperties: false };
const Gateway = Type.String({ minLength: 1, maxLength: 63, description: 'Gateway.' });

export const SignalsQuery = Type.Object(
  {
    gateway: Gateway,
    stream: Type.Optional(Type.String({ maxLength: 63, description: 'Only this stream.' })),
    match: Type.Optional(
      Type.String({ maxLength: 255, description: 'Only names that hold this, in any case.' }),
    ),
  },
  closed,
);

export const SignalsBody = Type.Object({
  databases: Type.Array(
    Type.Object({
      stream: Type.String(),
      database: Type.String(),
      version: Type.String(),
      from: Type.Optional(Time),
      to: Type.Optional(Time),
      identifiers: Type.Optional(
        Type.Integer({ minimum: 0, description: 'Different ones in a sample of the traffic.' }),
      ),
      identifiersKnown: Type.Optional(
        Type.Integer({ minimum: 0, description: 'Those that the database describes.' }),
      ),
    }),
  ),
  receivers: Type.Array(
    Type.Object({
      stream: Type.String(),
      reports: Type.Integer({ minimum: 0, description: 'Sentences, packets, or lines of JSON in a sample.' }),
      wrongChecksums: Type.Integer({ minimum: 0, description: 'Those beside them that are left out.' }),
      types: Type.Array(Type.String(), { description: 'Which reports came.' }),
    }),
    { description: 'Streams of lines in which GPS receivers report.' },
  ),
  signals: Type.Array(
    Type.Object({
      name: Type.String(),
      unit: Type.String(),
      database: Type.String(),
      comment: Type.String(),
      labels: Count,
      cycleTimeMs: Type.Optional(Type.Number()),
      from: Type.Optional(Time),
      to: Type.Optional(Time),
    }),
  ),
});

export type Signals = Static<typeof SignalsBody>;
