import assert from 'node:assert/strict';
import { BackOff } from '#gateway/uplink/back-off.js';

describe('back-off', () => {
  it('doubles its ceiling up to the limit, and starts over after a reset', () => {
    const backOff = new BackOff(() => 1);
    const ceilings = Array.from({ length: 8 }, () => backOff.nextMs());
    assert.deepEqual(ceilings, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    backOff.reset();
    assert.equal(backOff.nextMs(), 500);
  });

  it('jitters over the whole span, so that a fleet spreads out', () => {
    const backOff = new BackOff(() => 0.25);
    assert.deepEqual([backOff.nextMs(), backOff.nextMs()], [125, 250]);
  });
});
