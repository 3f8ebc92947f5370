import assert from 'node:assert/strict';
import { RangeSet } from '@fleetlog/shared/util';
import { Window } from '#gateway/uplink/window.js';

describe("the uplink's window", () => {
  it('is full at its number of batches', () => {
    const window = new Window({ batches: 2, bytes: 1000 });
    window.add('a', 0, 10, 0);
    assert.equal(window.fits(10), true);
    window.add('b', 0, 10, 0);
    assert.equal(window.fits(10), false);
    assert.equal(window.free, 0);
  });

  it('is full at its number of bytes', () => {
    const window = new Window({ batches: 10, bytes: 100 });
    window.add('a', 0, 60, 0);
    assert.equal(window.fits(40), true);
    assert.equal(window.fits(41), false);
  });

  it('takes one batch of any size where it is empty, so that no batch is stuck for ever', () => {
    const window = new Window({ batches: 10, bytes: 100 });
    assert.equal(window.fits(5000), true);
    window.add('a', 0, 5000, 0);
    assert.equal(window.fits(1), false);
  });

  it('gives room back for what is acknowledged, and for nothing else', () => {
    const window = new Window({ batches: 10, bytes: 100 });
    for (let s = 0; s < 4; s++) window.add('a', s, 10, 0);
    window.add('b', 0, 10, 0);
    const held = new RangeSet([
      [0, 0],
      [2, 9],
    ]);
    assert.equal(window.release('a', held), 3);
    assert.equal(window.release('a', held), 0);
    assert.deepEqual([window.batches, window.bytes], [2, 20]);
    assert.equal(window.has('a', 1), true);
  });

  it('gives up waiting a timeout after the broker took a batch, and four after sending where it never did', () => {
    const window = new Window({ batches: 10, bytes: 100 });
    window.add('a', 0, 10, 0);
    window.add('a', 1, 10, 0);
    window.confirmed('a', 0, 500);
    assert.deepEqual(window.expire(1000, 1499), []);
    assert.deepEqual(window.expire(1000, 1500), [{ stream: 'a', sequence: 0 }]);
    assert.deepEqual(window.expire(1000, 3999), []);
    assert.deepEqual(window.expire(1000, 4000), [{ stream: 'a', sequence: 1 }]);
    assert.deepEqual([window.batches, window.bytes], [0, 0]);
  });

  it('counts what the broker has not confirmed', () => {
    const window = new Window({ batches: 10, bytes: 100 });
    for (let s = 0; s < 3; s++) window.add('a', s, 10, 0);
    window.confirmed('a', 0, 1);
    window.confirmed('a', 0, 2);
    window.confirmed('a', 9, 2);
    assert.equal(window.unconfirmed, 2);
    window.remove('a', 0);
    assert.equal(window.unconfirmed, 2);
    window.remove('a', 1);
    assert.equal(window.unconfirmed, 1);
  });
});
