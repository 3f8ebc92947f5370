import assert from 'node:assert/strict';
import type { BatchHeader, ClockState } from '@fleetlog/shared/batch';
import { Expiry } from '#gateway/buffer/space/expiry.js';
import type { SpaceTarget } from '#gateway/buffer/space/target.js';

const hourUs = 3600e6;
const wallUs = 1_790_000_000_000_000;

/** A gateway's clocks, each to be set. */
class Clocks {
  wallUs = wallUs;
  monotonicUs = hourUs;
  boot = 'b'.repeat(16);
  state: ClockState = 'coarse';

  get offsetUs(): number {
    return this.wallUs - this.monotonicUs;
  }

  pass(us: number): void {
    this.wallUs += us;
    this.monotonicUs += us;
  }

  expiry(held: Held): Expiry {
    const facts = {
      boot: this.boot,
      read: () => ({ wallOffsetUs: this.offsetUs, state: this.state, uncertaintyUs: -1 }),
    };
    const clock = {
      nowUs: () => this.wallUs,
      monotonicUs: () => this.monotonicUs,
      sleep: () => Promise.resolve(),
    };
    const policy = { priority: 5, whenFull: 'drop', maxAgeMs: 3_600_000 } as const;
    return new Expiry(held.target(), () => policy, clock, facts);
  }
}

/** Headers of a stream, the oldest first. */
class Held {
  readonly headers: BatchHeader[] = [];
  first = 0;
  readonly causes: string[] = [];

  store(clocks: Clocks): void {
    const { boot, state, offsetUs: wallOffsetUs } = clocks;
    this.headers.push({
      boot,
      storeTimeUs: clocks.wallUs,
      clock: { wallOffsetUs, state, uncertaintyUs: -1 },
    } as BatchHeader); // the age depends on these alone
  }

  target(): SpaceTarget {
    return {
      heldStreams: () => [
        {
          stream: 'can0',
          kind: 'can',
          oldest: this.first < this.headers.length ? [this.first, this.headers.length - 1] : undefined,
          bytesPerBatch: 1,
        },
      ],
      header: async (_: string, sequence: number) => this.headers[sequence],
      giveUp: async (_: string, [first, last]: [number, number], { cause }: { cause: string }) => {
        assert.equal(first, this.first);
        this.first = last + 1;
        this.causes.push(cause);
        return { batches: last - first + 1, records: 0, bytes: 0 };
      },
    } as unknown as SpaceTarget;
  }
}

describe('the age of what is held', () => {
  it('counts from the time of storing: exactly what is older than the stream allows goes', async () => {
    const clocks = new Clocks();
    const held = new Held();
    const expiry = clocks.expiry(held);
    for (let i = 0; i < 3000; i++) {
      held.store(clocks);
      clocks.pass(2e6);
    }
    await expiry.run();
    assert.equal(held.first, 3000 - 1799);
    assert.deepEqual(new Set(held.causes), new Set(['expired']));
  });

  for (const jumpUs of [20 * 365 * 24 * hourUs, -20 * 365 * 24 * hourUs]) {
    it(`isn't changed by a jump of the wall clock by ${jumpUs / hourUs} h`, async () => {
      const clocks = new Clocks();
      const held = new Held();
      const expiry = clocks.expiry(held);
      held.store(clocks);
      clocks.wallUs += jumpUs;
      held.store(clocks);
      clocks.pass(hourUs / 2);
      await expiry.run();
      assert.equal(held.first, 0);
      clocks.pass(hourUs);
      await expiry.run();
      assert.equal(held.first, 2);
    });
  }

  it('of an earlier boot is what the wall clock says, where it can be believed', async () => {
    const clocks = new Clocks();
    const held = new Held();
    held.store(clocks);
    clocks.boot = 'c'.repeat(16);
    clocks.monotonicUs = 10e6;
    clocks.wallUs += 2 * hourUs;
    await clocks.expiry(held).run();
    assert.equal(held.first, 1);
  });

  it('of an earlier boot is unknown while the clock is unset, was unset then, or has jumped', async () => {
    const clocks = new Clocks();
    const held = new Held();
    held.store(clocks);
    clocks.boot = 'c'.repeat(16);
    clocks.monotonicUs = 10e6;
    clocks.state = 'unset';
    await clocks.expiry(held).run();
    assert.equal(held.first, 0);
    clocks.state = 'coarse';
    const expiry = clocks.expiry(held);
    clocks.wallUs += 365 * 24 * hourUs;
    await expiry.run();
    assert.equal(held.first, 0, 'a jump of a year');
    clocks.state = 'synced';
    await expiry.run();
    assert.equal(held.first, 1, 'that turned out to be true');
  });
});
