import assert from 'node:assert/strict';
import fc from 'fast-check';
import { balance } from '#cloud/consumers/balance.js';

const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];

describe('partitions shared by members, property', () => {
  it('every partition has a member, no member has two more than another, and none moves without need', () => {
    fc.assert(
      fc.property(
        fc.subarray(names, { minLength: 1 }),
        fc.array(fc.option(fc.constantFrom(...names), { nil: undefined }), { minLength: 1, maxLength: 40 }),
        (members, owners) => {
          const shared = balance(members, owners);
          const counts = members.map((member) => shared.filter((owner) => owner === member).length);
          assert.equal(
            counts.reduce((sum, count) => sum + count),
            owners.length,
          );
          assert.ok(Math.max(...counts) - Math.min(...counts) <= 1);
          const least = Math.floor(owners.length / members.length);
          for (const member of members) {
            const before = owners.filter((owner) => owner === member).length;
            const kept = shared.filter((owner, i) => owner === member && owners[i] === member).length;
            assert.ok(kept >= Math.min(before, least), `${member} lost what it could have kept`);
          }
          assert.deepEqual(balance(members, shared), shared);
        },
      ),
    );
  });

  it('without members no partition has one', () => {
    assert.deepEqual(balance([], ['a', undefined]), [undefined, undefined]);
  });
});
