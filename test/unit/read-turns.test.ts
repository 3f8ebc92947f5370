import assert from 'node:assert/strict';
import { ReadTurns } from '#cloud/consumers/read-turns.js';
import { FakeClock } from '../support/fake-clock.js';

const never = new AbortController().signal;

describe('readers of the log', () => {
  it('leave ingest nine tenths of the time while it has work, and none while it has not', async () => {
    const clock = new FakeClock();
    const turns = new ReadTurns(clock, never);
    let isBusy = false;
    turns.giveWayTo(() => isBusy);
    const read = async (): Promise<number> => {
      clock.advance(1);
      return 0;
    };
    for (let i = 0; i < 100; i++) await turns.take(read);
    assert.deepEqual(clock.sleepsMs, []);
    isBusy = true;
    const startedUs = clock.monotonicUs();
    for (let i = 0; i < 100; i++) await turns.take(read);
    const share = 100_000 / (clock.monotonicUs() - startedUs);
    assert.ok(share > 0.09 && share < 0.12, `${share}`);
  });

  it('take one page after the other, and one that fails keeps nobody from the next', async () => {
    const turns = new ReadTurns(new FakeClock(), never);
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
