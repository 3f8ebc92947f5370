import assert from 'node:assert/strict';
import { RangeSet } from '@fleetlog/shared/util';

describe('RangeSet', () => {
  it('an empty set has no members, ranges, minimum or maximum', () => {
    const set = new RangeSet();
    assert.deepEqual([set.size, set.rangeCount, set.min, set.max], [0, 0, undefined, undefined]);
    assert.deepEqual([...set.holes(0, 3)], [[0, 3]]);
    assert.ok(!set.has(0) && !set.covers(0, 0) && !set.intersects(0, 10));
  });

  it('neighbours join into one range', () => {
    const set = new RangeSet([
      [0, 1],
      [4, 5],
      [2, 3],
    ]);
    assert.deepEqual([...set], [[0, 5]]);
    assert.equal(set.rangeCount, 1);
  });

  it('a stream in order is one range, whatever its length', () => {
    const set = new RangeSet();
    for (let sequence = 0; sequence < 100_000; sequence++) assert.equal(set.add(sequence), 1);
    assert.deepEqual(set.toFlat(), [0, 99_999]);
  });

  it('works up to the largest sequence', () => {
    const max = Number.MAX_SAFE_INTEGER;
    const set = new RangeSet([[max - 1, max]]);
    assert.equal(set.add(max), 0);
    assert.equal(set.add(0, max), max - 1);
    assert.ok(set.covers(0, max));
    assert.deepEqual([...set.holes(0, max)], []);
  });

  it('what is no range is refused and changes nothing', () => {
    const set = new RangeSet([[3, 4]]);
    for (const [first, last] of [
      [-1, 2],
      [5, 4],
      [0.5, 2],
      [0, NaN],
      [0, Infinity],
      [0, 2 ** 53],
    ]) {
      assert.throws(() => set.add(first, last), RangeError);
    }
    assert.deepEqual(set.toFlat(), [3, 4]);
  });

  it('toFlat is a copy', () => {
    const set = new RangeSet([[1, 2]]);
    set.toFlat().push(9, 9);
    assert.deepEqual(set.toFlat(), [1, 2]);
  });

  it('fromFlat refuses what toFlat never makes', () => {
    for (const flat of [[1], [2, 1], [0, 1, 2, 3], [5, 6, 0, 1], [-1, 0], [0.5, 1], [0, NaN], [0, 2 ** 53]]) {
      assert.throws(() => RangeSet.fromFlat(flat), RangeError, JSON.stringify(flat));
    }
    assert.deepEqual(RangeSet.fromFlat([]).toFlat(), []);
    assert.deepEqual(RangeSet.fromFlat([0, 0, 2, 2]).toFlat(), [0, 0, 2, 2]);
  });
});
