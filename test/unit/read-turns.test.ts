import assert from 'node:assert/strict';
import { ReadTurns } from '#cloud/consumers/read-turns.js';
import { FakeClock } from '../support/fake-clock.js';

const never = new AbortController().signal;

describe('readers of the log', () => {
  it('leave ingest most of a busy process while it has work, and nothing else', async () => {
    const clock = new FakeClock();
    let utilization = 1;
    const turns = new ReadTurns(clock, never, () => utilization);
    let isBusy = false;
    turns.giveWayTo(() => isBusy);
    const read = async (): Promise<number> => {
      clock.advance(1);
      return 0;
    };
    for (let i = 0; i < 100; i++) await turns.take(read);
    assert.deepEqual(clock.sleepsMs, []);
    isBusy = true;
    utilization = 0.3; // it waits for its disk
    clock.advance(1000);
    for (let i = 0; i < 100; i++) await turns.take(read);
    assert.deepEqual(clock.sleepsMs, []);
    utilization = 1;
    clock.advance(1000);
    const startedUs = clock.monotonicUs();
    for (let i = 0; i < 100; i++) await turns.take(read);
    const share = 100_000 / (clock.monotonicUs() - startedUs);
    assert.ok(share > 0.04 && share < 0.06, `${share}`);
  });

  it('are let alone where they are few, and rest between small pages where they are many', () => {
    const turns = new ReadTurns(new FakeClock(), never, () => 1);
    assert.deepEqual(
      [1, 50, 1000].map((readers) => turns.restMs(readers)),
      [0, 50, 100],
    );
  });

  it('take one page after the other, and one that fails keeps nobody from the next', async () => {
    const turns = new ReadTurns(new FakeClock(), never, () => 1);
    let running = 0;
    const reads = Array.from({ length: 20 }, (_, i) =>
      turns.take(async () => {
        assert.equal(++running, 1);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
        if (i % 5 === 0) throw new Error('damaged');
        return 1000;
      }),
    );
    const results = await Promise.allSettled(reads);
    assert.deepEqual(
      results.map(({ status }) => status === 'rejected'),
      results.map((_, i) => i % 5 === 0),
    );
  });
});
