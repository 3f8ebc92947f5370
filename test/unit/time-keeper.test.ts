import assert from 'node:assert/strict';
import { SourceClock } from '#gateway/time/source-clock.js';
import { TimeKeeper } from '#gateway/time/time-keeper.js';
import { keeperOn } from '../support/keeper.js';
import { VehicleClock } from '../support/vehicle.js';

const startUs = Date.UTC(2026, 10, 5, 10) * 1000;
const world = { trueUs: startUs };

describe('what a gateway knows of the time', () => {
  let told: { type: string; attributes: Record<string, unknown> }[];

  beforeEach(() => {
    world.trueUs = startUs;
    told = [];
  });

  /** Watches nothing by itself: the test looks. */
  function watched(clock: VehicleClock, lastSyncUs: () => number | undefined = () => undefined): TimeKeeper {
    const keeper = keeperOn(clock, { kernel: { lastSyncUs } });
    const events = {
      note: (type: string, attributes: object) => told.push({ type, attributes: { ...attributes } }),
    };
    void keeper.watch(events, AbortSignal.abort(new Error('the test looks by itself')));
    return keeper;
  }

  it('is unset in 1970, and coarse where a wall clock was set that nobody vouches for', () => {
    assert.deepEqual(watched(new VehicleClock(world, 0)).read().state, 'unset');
    const { state, uncertaintyUs } = watched(new VehicleClock(world, startUs)).read();
    assert.deepEqual([state, uncertaintyUs], ['coarse', -1]);
  });

  it('grows less certain with the drift since the last reference', () => {
    const clock = new VehicleClock(world, 0);
    const keeper = watched(clock);
    keeper.refer('gps', clock.trueOffsetUs, 1000);
    assert.deepEqual([keeper.read().state, keeper.read().uncertaintyUs], ['synced', 1000]);
    world.trueUs += 3600e6;
    assert.equal(keeper.read().uncertaintyUs, 1000 + 360_000);
  });

  it('keeps to a reference while somebody sets the wall clock, and to the surer of two', () => {
    const clock = new VehicleClock(world, startUs);
    const keeper = watched(clock);
    keeper.refer('gps', clock.trueOffsetUs, 500_000);
    clock.wallOffsetUs -= 3600e6;
    keeper.look();
    assert.equal(keeper.nowUs(), world.trueUs);
    keeper.refer('pps', clock.trueOffsetUs + 20_000, 10);
    assert.equal(keeper.nowUs(), world.trueUs + 20_000);
    assert.deepEqual(
      told.map(({ type }) => type),
      ['clock.start', 'clock.set', 'clock.step'],
    );
    assert.deepEqual([told[2].attributes.source, told[2].attributes.stepUs], ['pps', 20_000]);
  });

  it('believes no comparison with a time server from before a step of the wall clock', () => {
    const clock = new VehicleClock(world, startUs - 5e6);
    let syncUs: number | undefined;
    const keeper = watched(clock, () => syncUs);
    syncUs = clock.nowUs();
    keeper.look();
    assert.equal(keeper.read().state, 'synced');
    const before = keeper.offsetUs;
    clock.wallOffsetUs += 5e6;
    keeper.look();
    assert.equal(keeper.offsetUs, before);
    syncUs = clock.nowUs();
    keeper.look();
    assert.equal(keeper.offsetUs, before + 5e6);
  });

  it('tells of the same reference again when it drifts, and seldom where it agrees', () => {
    for (const [ppm, looks] of [
      [50, 6],
      [0, 0],
    ]) {
      world.trueUs = startUs;
      told = [];
      const clock = new VehicleClock(world, startUs, ppm);
      const keeper = watched(clock);
      for (let minute = 0; minute <= 62; minute++, world.trueUs += 60e6) {
        keeper.refer('gps', clock.trueOffsetUs, 500_000);
      }
      assert.equal(told.filter(({ type }) => type === 'clock.reference').length, looks);
    }
  });

  it('stamps with one offset until the source takes over the next, and says which', () => {
    const clock = new VehicleClock(world, 0);
    const keeper = watched(clock);
    const source = new SourceClock(clock, keeper, 'gateway');
    assert.equal(source.nowUs(), 0);
    keeper.refer('gps', clock.trueOffsetUs, 1000);
    assert.equal(source.nowUs(), 0);
    assert.equal(source.changed, true);
    assert.deepEqual(source.ofBatch({ lastTimeUs: 0 }), {
      wallOffsetUs: -clock.monotonicUs(),
      state: 'unset',
      uncertaintyUs: -1,
      stamped: true,
    });
    source.renew();
    assert.equal(source.changed, false);
    assert.equal(source.nowUs(), world.trueUs);
  });

  it('leaves times alone that another program took from a recording', () => {
    const clock = new VehicleClock(world, startUs);
    const source = new SourceClock(clock, watched(clock), 'system');
    assert.equal(source.ofBatch({ lastTimeUs: startUs - 3600e6 }), undefined);
    assert.equal(source.ofBatch({ lastTimeUs: startUs - 1e6 })?.stamped, true);
  });
});
