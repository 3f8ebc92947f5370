import assert from 'node:assert/strict';
import { ReceiverClock } from '#gateway/time/receiver-clock.js';
import type { TimeKeeper } from '#gateway/time/time-keeper.js';
import { FakeClock } from '../support/fake-clock.js';
import { keeperOn } from '../support/keeper.js';
import { navPvt } from '../support/ubx.js';

const dayUs = 86_400_000_000;

/** A gateway whose wall clock is a day behind, and what it is told once a second. */
class World {
  readonly clock = new FakeClock();
  readonly keeper: TimeKeeper = keeperOn(this.clock);
  private readonly receiver: ReceiverClock;

  constructor(options?: { isLocalGpsd: boolean }) {
    this.receiver = new ReceiverClock(this.clock, this.keeper, options);
  }

  get trueUs(): number {
    return this.clock.nowUs() + dayUs;
  }

  tell(seconds: number, say: (trueUs: number) => string | Uint8Array): this {
    for (let i = 0; i < seconds; i++) {
      const bytes = Buffer.from(say(this.trueUs) as string);
      this.receiver.see(bytes, 0, bytes.length);
      this.clock.advance(1000);
    }
    return this;
  }

  /** How far from the truth the gateway's time is, and how far it believes it may be. */
  get error(): { errorUs: number; uncertaintyUs: number; state: string } {
    const { uncertaintyUs, state } = this.keeper.read();
    return { errorUs: Math.abs(this.keeper.nowUs() - this.trueUs), uncertaintyUs, state };
  }
}

const pvt =
  (lateMs: number, changes: object = {}) =>
  (trueUs: number): Uint8Array => {
    const toldUs = trueUs - lateMs * 1000;
    const nano = (toldUs % 1e6) * 1000;
    return navPvt({ timeMs: Math.floor(toldUs / 1e6) * 1000, nano, ...changes });
  };

/** `aheadUs`: of the truth, as a wrong pulse has it. */
const pulse =
  (
    world: World,
    kind: 'PPS' | 'TOFF',
    { precision, aheadUs = 0 }: { precision?: number; aheadUs?: number } = {},
  ) =>
  (trueUs: number): string => {
    const clockUs = world.clock.nowUs();
    return `${JSON.stringify({
      class: kind,
      device: '/dev/pps0',
      real_sec: Math.floor((trueUs + aheadUs) / 1e6),
      real_nsec: ((trueUs + aheadUs) % 1e6) * 1000,
      clock_sec: Math.floor(clockUs / 1e6),
      clock_nsec: (clockUs % 1e6) * 1000,
      ...(precision !== undefined && { precision }),
    })}\n`;
  };

describe("a gateway's clock that GPS sets", () => {
  it('believes NAV-PVT when five agree, with the accuracy that the receiver states', () => {
    const world = new World();
    world.tell(4, pvt(80));
    assert.equal(world.error.state, 'coarse');
    world.tell(1, pvt(80));
    const { errorUs, uncertaintyUs, state } = world.error;
    assert.equal(state, 'synced');
    assert.ok(errorUs <= 80_001 && uncertaintyUs >= 500_000 && uncertaintyUs < 501_000, `${errorUs}`);
    const vague = new World().tell(5, pvt(80, { timeAccuracyNs: 2_000_000_000 }));
    assert.ok(vague.error.uncertaintyUs >= 2_500_000);
  });

  it("doesn't believe packets whose time isn't certain, or whose checksum is wrong", () => {
    for (const valid of [0, 1, 3, 5]) {
      assert.equal(new World().tell(20, pvt(80, { valid })).error.state, 'coarse', `valid ${valid}`);
    }
    const damaged = (trueUs: number): Uint8Array => {
      const packet = Buffer.from(pvt(80)(trueUs));
      packet[12] ^= 1;
      return packet;
    };
    assert.equal(new World().tell(20, damaged).error.state, 'coarse');
  });

  it('is right to microseconds by pulses that gpsd sees on this machine', () => {
    const world = new World({ isLocalGpsd: true });
    world.tell(5, pulse(world, 'PPS', { precision: -20 }));
    const { errorUs, uncertaintyUs, state } = world.error;
    assert.equal(state, 'synced');
    assert.ok(errorUs <= 1 && uncertaintyUs < 500, `${errorUs} ± ${uncertaintyUs} µs`);
  });

  it('takes gpsd at its word where it says how precise it is, and for half a second where it does not', () => {
    for (const [precision, least] of [
      [-2, 250_000],
      [undefined, 500_000],
    ] as const) {
      const world = new World({ isLocalGpsd: true });
      world.tell(5, pulse(world, 'TOFF', { ...(precision !== undefined && { precision }) }));
      const { uncertaintyUs, state } = world.error;
      assert.equal(state, 'synced');
      assert.ok(uncertaintyUs >= least && uncertaintyUs < least + 1000, `${uncertaintyUs}`);
    }
  });

  it('takes no pulses of a gpsd on another machine, none that are incomplete, and no single one', () => {
    const far = new World({ isLocalGpsd: false });
    assert.equal(far.tell(20, pulse(far, 'PPS', { precision: -20 })).error.state, 'coarse');
    const near = new World({ isLocalGpsd: true });
    for (const line of ['{"class":"PPS","real_sec":5}', '{"class":"PPS",', '{"class":"PPS"}x']) {
      assert.equal(near.tell(20, () => line).error.state, 'coarse');
    }
    near.tell(5, pulse(near, 'PPS', { precision: -20 }));
    near.tell(1, pulse(near, 'PPS', { precision: -20, aheadUs: 3600e6 }));
    assert.ok(near.error.errorUs <= 1, 'an absurd pulse changes nothing');
  });
});
