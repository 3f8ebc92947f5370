import assert from 'node:assert/strict';
import { isLifeId } from '@fleetlog/shared/batch';
import { bootId, newEpoch, Signal, systemClock } from '@fleetlog/shared/util';

describe('clock', () => {
  it('tells whole microseconds near those of the system', () => {
    const differenceMs = systemClock.nowUs() / 1000 - Date.now();
    assert.ok(Number.isSafeInteger(systemClock.nowUs()) && Math.abs(differenceMs) < 1000);
    assert.ok(Number.isSafeInteger(systemClock.monotonicUs()));
  });

  it('the monotonic clock never runs back', () => {
    let previous = systemClock.monotonicUs();
    for (let i = 0; i < 10_000; i++) {
      const now = systemClock.monotonicUs();
      assert.ok(now >= previous);
      previous = now;
    }
  });

  it('a sleep lasts as long as asked, and ends at once on abort, with its reason', async () => {
    const start = systemClock.monotonicUs();
    await systemClock.sleep(20);
    assert.ok(systemClock.monotonicUs() - start >= 19_000);
    const reason = new Error('enough');
    const controller = new AbortController();
    const sleeping = systemClock.sleep(3_600_000, controller.signal);
    controller.abort(reason);
    await assert.rejects(sleeping, reason);
    await assert.rejects(systemClock.sleep(3_600_000, AbortSignal.abort(reason)), reason);
  });

  it('boots and epochs are ids; a boot stays, each epoch is new', () => {
    assert.ok(isLifeId(bootId()) && isLifeId(newEpoch()));
    assert.equal(bootId(), bootId());
    assert.notEqual(newEpoch(), newEpoch());
  });
});

describe('Signal', () => {
  it('one set wakes all who wait, and nobody who comes later', async () => {
    const signal = new Signal();
    let woken = 0;
    const waits = [signal.wait(), signal.wait()].map((wait) => wait.then(() => woken++));
    signal.set();
    await Promise.all(waits);
    assert.equal(woken, 2);
    const later = signal.wait().then(() => woken++);
    await new Promise(setImmediate);
    assert.equal(woken, 2);
    signal.set();
    await later;
  });

  it('a wait ends with the reason of its abort signal', async () => {
    const reason = new Error('enough');
    const controller = new AbortController();
    const wait = new Signal().wait(controller.signal);
    controller.abort(reason);
    await assert.rejects(wait, reason);
    await assert.rejects(new Signal().wait(AbortSignal.abort(reason)), reason);
  });
});
