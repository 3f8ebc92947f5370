import assert from 'node:assert/strict';
import fc from 'fast-check';
import { RangeSet } from '@fleetlog/shared/util';

const worldMax = 60;
const range = fc
  .tuple(fc.nat(worldMax), fc.oneof(fc.constant(0), fc.nat(12)))
  .map(([first, more]): [number, number] => [first, Math.min(worldMax, first + more)]);

const within = ([first, last]: readonly [number, number]): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

describe('RangeSet is a set of numbers', () => {
  it('as a plain Set is: add, has, covers, intersects, holes, remove, size, flat form', () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 40 }), range, (adds, query) => {
        const set = new RangeSet();
        const model = new Set<number>();
        for (const [first, last] of adds) {
          const before = model.size;
          for (const member of within([first, last])) model.add(member);
          assert.equal(set.add(first, last), model.size - before, 'the number of new members');
        }
        for (let value = 0; value <= worldMax + 1; value++) assert.equal(set.has(value), model.has(value));
        assert.equal(set.size, model.size);
        const members = [...model].sort((a, b) => a - b);
        assert.deepEqual([...set].flatMap(within), members);
        assert.equal(set.min, members[0]);
        assert.equal(set.max, members.at(-1));
        assert.deepEqual(set.firstRange, [...set][0]);
        assert.deepEqual(set.lastRange, [...set].at(-1));

        const asked = within(query);
        assert.equal(
          set.covers(...query),
          asked.every((value) => model.has(value)),
        );
        assert.equal(
          set.intersects(...query),
          asked.some((value) => model.has(value)),
        );
        const holes = [...set.holes(...query)];
        assert.deepEqual(
          holes.flatMap(within),
          asked.filter((value) => !model.has(value)),
        );
        holes.forEach(([first, last], i) =>
          assert.ok(first <= last && (i === 0 || first > holes[i - 1][1] + 1)),
        );

        const less = new RangeSet(set);
        assert.equal(less.remove(...query), asked.length - holes.flatMap(within).length);
        assert.deepEqual(
          [...less].flatMap(within),
          members.filter((value) => !asked.includes(value)),
        );
        assert.deepEqual(RangeSet.fromFlat(less.toFlat()), less);

        const flat = set.toFlat();
        assert.equal(set.rangeCount * 2, flat.length);
        for (let i = 2; i < flat.length; i += 2)
          assert.ok(flat[i] > flat[i - 1] + 1, 'disjoint, not adjacent');
        assert.deepEqual(RangeSet.fromFlat(flat), set);
        assert.deepEqual(new RangeSet(set), set);
      }),
      { numRuns: 1000 },
    );
  });
});
