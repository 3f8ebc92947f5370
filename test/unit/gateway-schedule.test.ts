import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { BufferedStream } from '#gateway/buffer/buffer.js';
import { LiveFirst, type Lane, type Turn } from '#gateway/uplink/schedule.js';

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
  givenUp: { batches: 0, records: 0, bytes: 0 },
  thinned: { batches: 0, records: 0, bytes: 0 },
});
const both = { live: true, backlog: true };
const still = (): number => 0;

/** Sends one batch of what comes next. */
function step(schedule: LiveFirst, streams: BufferedStream[], open = both): string {
  const turn = schedule.next(streams, open);
  if (!turn) return '-';
  schedule.done(turn.stream, turn.sequence, turn.sequence);
  return `${turn.lane[0]}${turn.stream}${turn.sequence}`;
}
const steps = (count: number, schedule: LiveFirst, streams: BufferedStream[], open = both): string =>
  Array.from({ length: count }, () => step(schedule, streams, open)).join(' ');

describe('the order of sending', () => {
  it('lets streams take turns, however much one of them holds', () => {
    const streams = [stream('a', 0, 10_000), stream('b', 0, 10_000), stream('c', 0, 10_000)];
    const schedule = new LiveFirst(streams, 'oldest-first', still);
    assert.equal(steps(7, schedule, streams), 'ba0 bb0 bc0 ba1 bb1 bc1 ba2');
  });

  it('sends what came since the connection began before anything older', () => {
    const schedule = new LiveFirst([stream('a', 5, 9), stream('b', 0, 2)], 'oldest-first', still);
    const later = [stream('a', 5, 11), stream('b', 0, 3), stream('new', 0, 1)];
    assert.equal(steps(9, schedule, later), 'la9 lb2 lnew0 la10 ba5 bb0 ba6 bb1 ba7');
    assert.equal(steps(2, schedule, [stream('a', 5, 12)]), 'la11 ba8');
    assert.equal(step(schedule, later), '-');
  });

  it('drains the backlog from its newest end where that is wanted', () => {
    const streams = [stream('a', 0, 40)];
    const schedule = new LiveFirst(streams, 'newest-first', still);
    const turn = schedule.next(streams, both) ?? assert.fail();
    assert.deepEqual([turn.sequence, turn.end, turn.limit], [24, 40, 16]);
    schedule.done('a', 24, 39);
    assert.equal(schedule.next(streams, both)?.sequence, 8);
    schedule.done('a', 8, 23);
    assert.deepEqual(schedule.next(streams, both), {
      lane: 'backlog',
      stream: 'a',
      sequence: 0,
      end: 8,
      limit: 8,
    });
  });

  it('leaves a closed lane alone', () => {
    const schedule = new LiveFirst([stream('a', 0, 2)], 'oldest-first', still);
    const streams = [stream('a', 0, 4)];
    assert.equal(steps(3, schedule, streams, { live: true, backlog: false }), 'la2 la3 -');
    assert.equal(steps(3, schedule, streams, { live: false, backlog: true }), 'ba0 ba1 -');
  });

  it('counts live batches that wait for three seconds as backlog, so that newer ones go first', () => {
    let nowMs = 0;
    const schedule = new LiveFirst([stream('a', 0, 0)], 'oldest-first', () => nowMs);
    const streams = [stream('a', 0, 10)];
    assert.equal(step(schedule, streams), 'la0');
    nowMs = 2900;
    assert.equal(step(schedule, streams), 'la1');
    nowMs = 3100;
    assert.equal(steps(3, schedule, streams), 'la9 ba2 ba3');
  });

  it('goes on behind what is acknowledged or given up', () => {
    const schedule = new LiveFirst([stream('a', 0, 5)], 'oldest-first', still);
    assert.equal(steps(2, schedule, [stream('a', 3, 8)]), 'la5 la6');
    assert.equal(steps(3, schedule, [stream('a', 7, 8)]), 'la7 - -');
  });

  it('sends again in the lane in which it was sent, before anything new of that lane', () => {
    const schedule = new LiveFirst([stream('a', 0, 4)], 'oldest-first', still);
    const streams = [stream('a', 0, 8)];
    assert.equal(steps(6, schedule, streams), 'la4 la5 la6 la7 ba0 ba1');
    schedule.again('backlog', 'a', 0);
    schedule.again('live', 'a', 5);
    assert.equal(steps(4, schedule, [stream('a', 0, 9)]), 'la5 la8 ba0 ba2');
    schedule.again('live', 'a', 4);
    assert.equal(step(schedule, [stream('a', 6, 9)]), '-');
  });

  it('sends everything once, whatever comes, piles up and is lost on the way', () => {
    const event = fc.oneof(
      fc.record({ type: fc.constant('put' as const), stream: fc.nat(1), count: fc.nat(5) }),
      fc.record({
        type: fc.constant('send' as const),
        live: fc.boolean(),
        backlog: fc.boolean(),
        part: fc.nat(16),
      }),
      fc.record({ type: fc.constant('wait' as const), ms: fc.nat(2000) }),
      fc.record({ type: fc.constant('lose' as const), nth: fc.nat(20) }),
    );
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 100 }),
        fc.constantFrom('oldest-first' as const, 'newest-first' as const),
        fc.nat(40),
        (events, order, before) => {
          let nowMs = 0;
          const next = [before, 0];
          const streams = (): BufferedStream[] => next.map((n, i) => stream(`s${i}`, 0, n));
          const schedule = new LiveFirst(streams(), order, () => nowMs);
          const onTheWay: { lane: Lane; stream: string; sequence: number }[] = [];
          const seen = new Set<string>();
          const send = (turn: Turn | undefined, part: number): void => {
            if (!turn) return;
            const last = Math.min(turn.end - 1, turn.sequence + Math.min(part, turn.limit - 1));
            for (let s = turn.sequence; s <= last; s++) {
              assert.ok(!seen.has(`${turn.stream}/${s}`), 'twice');
              seen.add(`${turn.stream}/${s}`);
              onTheWay.push({ lane: turn.lane, stream: turn.stream, sequence: s });
            }
            schedule.done(turn.stream, turn.sequence, last);
          };
          for (const e of events) {
            if (e.type === 'put') next[e.stream] += e.count;
            else if (e.type === 'wait') nowMs += e.ms;
            else if (e.type === 'send') send(schedule.next(streams(), e), e.part);
            else if (onTheWay.length > 0) {
              const [lost] = onTheWay.splice(e.nth % onTheWay.length, 1);
              seen.delete(`${lost.stream}/${lost.sequence}`);
              schedule.again(lost.lane, lost.stream, lost.sequence);
            }
          }
          for (let turn; (turn = schedule.next(streams(), both));) send(turn, 15);
          assert.equal(seen.size, next[0] + next[1]);
        },
      ),
      { numRuns: 500 },
    );
  });
});
