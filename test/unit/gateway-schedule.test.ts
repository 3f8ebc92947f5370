import assert from 'node:assert/strict';
import type { BufferedStream } from '#gateway/buffer/buffer.js';
import { OldestFirst } from '#gateway/uplink/schedule.js';

const stream = (name: string, first: number, durableNext: number): BufferedStream => ({
  stream: name,
  kind: 'can',
  first,
  durableNext,
  next: durableNext,
  batches: durableNext - first,
  records: 0,
  bytes: 0,
  recordsPut: 0,
  bytesPut: 0,
  refused: 0,
});

describe('the order of sending', () => {
  it('lets streams take turns, however much one of them holds', () => {
    const schedule = new OldestFirst();
    const streams = [stream('a', 0, 10_000), stream('b', 0, 10_000), stream('c', 0, 10_000)];
    const turns: string[] = [];
    for (let i = 0; i < 7; i++) {
      const turn = schedule.next(streams) ?? assert.fail();
      turns.push(turn.stream);
      schedule.sent(turn.stream, turn.sequence);
    }
    assert.equal(turns.join(''), 'abcabca');
  });

  it('starts with the oldest that is not acknowledged, and goes on behind what was sent', () => {
    const schedule = new OldestFirst();
    assert.equal(schedule.next([stream('a', 5, 9)])?.sequence, 5);
    schedule.sent('a', 5);
    schedule.sent('a', 6);
    assert.equal(schedule.next([stream('a', 5, 9)])?.sequence, 7);
    assert.equal(schedule.next([stream('a', 8, 9)])?.sequence, 8);
  });

  it('has nothing to send where everything durable was sent', () => {
    const schedule = new OldestFirst();
    assert.equal(schedule.next([]), undefined);
    schedule.sent('a', 0);
    assert.equal(schedule.next([stream('a', 0, 1)]), undefined);
  });

  it('sends again before it sends anything new, oldest first', () => {
    const schedule = new OldestFirst();
    for (let s = 0; s < 5; s++) schedule.sent('a', s);
    schedule.again('a', 3);
    schedule.again('a', 1);
    const order: number[] = [];
    for (let i = 0; i < 3; i++) {
      const { sequence } = schedule.next([stream('a', 0, 9)]) ?? assert.fail();
      order.push(sequence);
      schedule.sent('a', sequence);
    }
    assert.deepEqual(order, [1, 3, 5]);
  });

  it('forgets to send again what was acknowledged meanwhile', () => {
    const schedule = new OldestFirst();
    for (let s = 0; s < 5; s++) schedule.sent('a', s);
    schedule.again('a', 1);
    schedule.again('a', 3);
    assert.equal(schedule.next([stream('a', 2, 9)])?.sequence, 3);
    schedule.skipTo('a', 5);
    assert.equal(schedule.next([stream('a', 5, 9)])?.sequence, 5);
  });
});
