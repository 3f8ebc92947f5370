import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  integerPart,
  joinKey,
  prefixRange,
  readInteger,
  readTime,
  textPart,
  timePart,
} from '@fleetlog/shared/store';

const inRange = (key: Uint8Array, { gte, lt }: { gte: Uint8Array; lt: Uint8Array }): boolean =>
  Buffer.compare(key, gte) >= 0 && Buffer.compare(key, lt) < 0;

describe('keys of ordered stores', () => {
  const natural = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
  const time = fc.integer({ min: -(2 ** 52), max: 2 ** 52 - 1 });
  const name = fc.string({ unit: fc.constantFrom('a', 'b', '-', '_', '0'), maxLength: 6 });

  it('integers sort as their values do and are read back, at any place in a key', () => {
    fc.assert(
      fc.property(natural, natural, (a, b) => {
        assert.equal(Math.sign(Buffer.compare(integerPart(a), integerPart(b))), Math.sign(a - b));
        assert.equal(readInteger(joinKey(textPart('xyz'), integerPart(a)), 4), a);
      }),
    );
    for (const value of [0, 2 ** 31, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      assert.equal(readInteger(integerPart(value), 0), value);
    }
  });

  it('times sort as their values do, before 1970 too, and are read back', () => {
    fc.assert(
      fc.property(time, time, (a, b) => {
        assert.equal(Math.sign(Buffer.compare(timePart(a), timePart(b))), Math.sign(a - b));
        assert.equal(readTime(timePart(a), 0), a);
      }),
    );
  });

  it('a name sorts before each longer one, whatever follows it', () => {
    fc.assert(
      fc.property(name, name, natural, natural, (a, b, i, j) => {
        if (a === b) return;
        const order = Buffer.compare(
          joinKey(textPart(a), integerPart(i)),
          joinKey(textPart(b), integerPart(j)),
        );
        assert.equal(Math.sign(order), a < b ? -1 : 1);
      }),
    );
  });

  it('the range of a prefix holds every key that starts with it, and no other', () => {
    const bytes = fc.uint8Array({ maxLength: 4 }).map((b) => b.map((v) => (v > 200 ? 0xff : v % 3)));
    fc.assert(
      fc.property(bytes, bytes, bytes, (prefix, rest, other) => {
        const range = prefixRange(prefix);
        assert.ok(inRange(Buffer.concat([prefix, rest]), range));
        const starts =
          Buffer.compare(other.subarray(0, prefix.length), prefix) === 0 && other.length >= prefix.length;
        assert.equal(inRange(other, range), starts);
      }),
      { numRuns: 2000 },
    );
  });
});
