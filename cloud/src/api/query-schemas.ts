import { Type, type Static } from '@fleetlog/shared/schema';
import { gapModes } from '../query/bucket-rows.js';
import { aggregates } from '../query/cell.js';
import { rowFormats, rowLayouts } from '../query/row-formats.js';

/* What the routes of values take and give. */
const closed = { additionalProperties: false };
const Name = Type.String({
  minLength: 1,
  maxLength: 255,
  description: 'stream/Message/Signal, or its end where that means one signal only.',
});
const optional = (description: string): ReturnType<typeof text> => text(64, description);
const text = (maxLength: number, description: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength, description }));
const oneOf = (names: readonly string[], description: string) =>
  Type.Optional(Type.String({ enum: [...names], description }));

const Whose = {
  gateway: text(63, 'Gateway; or say which vehicle.'),
  vehicle: text(63, 'Vehicle: the gateways that are in it, while they are.'),
};

export const QueryQuery = Type.Object(
  {
    ...Whose,
    signal: Type.Array(Name, { minItems: 1, maxItems: 256, description: 'One or more.' }),
    from: optional('First event time, inclusive.'),
    to: optional('Last event time, exclusive.'),
    every: optional('Length of buckets: 100ms, 1s, 1m, 1h, 1d. They begin at its multiples since 1970, UTC.'),
    agg: oneOf(aggregates, 'What the values of a bucket are summed up to; mean where not given.'),
    gaps: oneOf(
      gapModes,
      'Buckets without values: one empty row for each span of them (mark), a row for each (fill), or none (skip).',
    ),
    layout: oneOf(rowLayouts, 'A column for each signal (wide), or a row for each value (long).'),
    format: oneOf(rowFormats, 'csv where not given.'),
    labels: Type.Optional(Type.Boolean({ description: 'Text for values that have a label.' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, description: 'Rows, at most.' })),
  },
  closed,
);

export const LatestQuery = Type.Object(
  {
    ...Whose,
    stream: text(63, 'Only this stream.'),
    match: text(255, 'Only names that hold this, in any case.'),
    within: text(64, 'How far to look back from the end of each stream: 30s, 10m, 1d; 1h where not given.'),
  },
  closed,
);

export const LatestBody = Type.Object({
  signals: Type.Array(
    Type.Object({
      name: Type.String(),
      time: Type.String({ format: 'date-time' }),
      value: Type.Union([Type.Number(), Type.Null()], { description: 'null: not finite.' }),
      label: Type.Optional(Type.String()),
      unit: Type.String(),
      database: Type.String(),
    }),
  ),
  missing: Type.Integer({ minimum: 0, description: 'Signals that were not said in that time.' }),
});

export type Latest = Static<typeof LatestBody>;
