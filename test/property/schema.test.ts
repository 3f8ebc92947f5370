import assert from 'node:assert/strict';
import fc from 'fast-check';
import * as typebox from 'typebox';
import { Value } from 'typebox/value';
import { fits, Type, withDefaults, type TSchema } from '@fleetlog/shared/schema';

const closed = { additionalProperties: false };
const pattern = '^[a-c]+$';
const schemasBy = (Builders: typeof Type): Record<string, TSchema> => ({
  text: Builders.String({ minLength: 1, maxLength: 3 }),
  pattern: Builders.String({ pattern }),
  integer: Builders.Integer({ minimum: -1, maximum: 2 }),
  number: Builders.Number({ exclusiveMinimum: 0 }),
  list: Builders.Array(Builders.Integer(), { minItems: 1, maxItems: 2 }),
  tuple: Builders.Tuple([Builders.Integer(), Builders.String()]),
  union: Builders.Union([
    Builders.Literal('a'),
    Builders.Literal(1),
    Builders.Null(),
    Builders.Array(Builders.Boolean()),
  ]),
  object: Builders.Object({
    a: Builders.Integer(),
    b: Builders.Optional(Builders.Object({ a: Builders.Boolean() })),
    c: Builders.Unsafe<string>(Builders.String()),
  }),
  closed: Builders.Object({ a: Builders.Optional(Builders.Boolean()), b: Builders.Number() }, closed),
  'union of closed objects': Builders.Union([
    Builders.Object({ a: Builders.Literal('a'), b: Builders.Integer() }, closed),
    Builders.Object({ a: Builders.Literal('b') }, closed),
  ]),
  record: Builders.Record(Builders.String(), Builders.Object({ a: Builders.Integer() }, closed)),
  'what has defaults': Builders.Object(
    {
      a: Builders.Integer({ default: 7 }),
      b: Builders.Optional(Builders.String({ default: 'b' })),
      c: Builders.Object(
        { a: Builders.Array(Builders.Object({ b: Builders.Integer({ default: 1 }) })) },
        { default: { a: [{}] } },
      ),
    },
    closed,
  ),
});
const schemas = schemasBy(Type);
const references = schemasBy(typebox.Type);

const key = fc.constantFrom('a', 'b', 'c', 'bc', 'd', 'toString');
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(
      true,
      false,
      null,
      'a',
      'b',
      'abc',
      'abca',
      '',
      'x',
      0,
      1,
      2,
      3,
      -1,
      -2,
      0.5,
      NaN,
      Infinity,
    ),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(key, tie('value'), { maxKeys: 3, noNullPrototype: true }),
  ),
}));

describe('schemas without typebox', () => {
  for (const [name, schema] of Object.entries(schemas)) {
    it(`${name}: what fits is what fits by typebox, and defaults are the same`, () => {
      const reference = references[name];
      assert.deepEqual(JSON.parse(JSON.stringify(schema)), JSON.parse(JSON.stringify(reference)));
      fc.assert(
        fc.property(value, (given) => {
          assert.equal(fits(schema, given), Value.Check(reference, given));
          const before = structuredClone(given);
          const filled = withDefaults(schema, given);
          assert.deepEqual(given, before);
          const theirs = Value.Default(reference, structuredClone(given));
          assert.equal(fits(schema, filled), Value.Check(reference, theirs));
          if (fits(schema, filled)) assert.deepEqual(filled, theirs);
        }),
        { numRuns: 2000 },
      );
    });
  }
});
