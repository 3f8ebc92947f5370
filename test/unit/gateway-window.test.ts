import assert from 'node:assert/strict';
import { RangeSet } from '@fleetlog/shared/util';
import { Window } from '#gateway/uplink/window.js';

describe("the uplink's window", () => {
  it('is full at its number of batches', () => {
    const window = new Window({ batches: 2, bytes: 1000 });
    window.add('live', 'a', 0, 10, 0);
    assert.equal(window.fits(10, 'live'), true);
    window.add('live', 'b', 0, 10, 0);
    assert.equal(window.fits(10, 'live'), false);
    assert.equal(window.free, 0);
  });

  it('is full at its number of bytes', () => {
    const window = new Window({ batches: 10, bytes: 100 });
    window.add('live', 'a', 0, 60, 0);
    assert.equal(window.fits(40, 'live'), true);
    assert.equal(window.fits(41, 'live'), false);
  });

  it('takes one batch of any size where it is empty, so that no batch is stuck for ever', () => {
    const window = new Window({ batches: 10, bytes: 100 });
    assert.equal(window.fits(5000, 'live'), true);
    window.add('live', 'a', 0, 5000, 0);
    assert.equal(window.fits(1, 'live'), false);
  });

  it('keeps an eighth free for live batches', () => {
    const window = new Window({ batches: 8, bytes: 800 });
    for (let s = 0; s < 6; s++) window.add('backlog', 'a', s, 10, 0);
    assert.equal(window.fits(10, 'backlog'), true);
    window.add('backlog', 'a', 6, 10, 0);
    assert.equal(window.fits(10, 'backlog'), false);
    assert.equal(window.fits(10, 'live'), true);
    window.remove('a', 6);
    assert.equal(window.fits(640, 'backlog'), true);
    assert.equal(window.fits(641, 'backlog'), false);
    assert.equal(window.fits(740, 'live'), true);
  });

  it('gives room back for what is acknowledged, and for nothing else', () => {
    const window = new Window({ batches: 10, bytes: 100 });
    for (let s = 0; s < 4; s++) window.add('live', 'a', s, 10, 0);
    window.add('live', 'b', 0, 10, 0);
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
    window.add('live', 'a', 0, 10, 0);
    window.add('live', 'a', 1, 10, 0);
    window.confirmed('a', 0, 500);
    assert.deepEqual(window.expire(1000, 1499), []);
    assert.deepEqual(window.expire(1000, 1500), [{ lane: 'live', stream: 'a', sequence: 0 }]);
    assert.deepEqual(window.expire(1000, 3999), []);
    assert.deepEqual(window.expire(1000, 4000), [{ lane: 'live', stream: 'a', sequence: 1 }]);
    assert.deepEqual([window.batches, window.bytes], [0, 0]);
  });

  it('counts what the broker has not confirmed', () => {
    const window = new Window({ batches: 10, bytes: 100 });
    for (let s = 0; s < 3; s++) window.add('live', 'a', s, 10, 0);
    window.confirmed('a', 0, 1);
    window.confirmed('a', 0, 2);
    window.confirmed('a', 9, 2);
    window.add('backlog', 'a', 3, 5, 0);
    assert.deepEqual([window.unconfirmed, window.unconfirmedBytes, window.unconfirmedBacklog], [3, 25, 1]);
    window.confirmed('a', 3, 2);
    assert.deepEqual([window.unconfirmed, window.unconfirmedBytes, window.unconfirmedBacklog], [2, 20, 0]);
    window.remove('a', 0);
    assert.equal(window.unconfirmed, 2);
    window.remove('a', 1);
    assert.equal(window.unconfirmed, 1);
  });
});
