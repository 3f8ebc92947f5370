import assert from 'node:assert/strict';
import { silentLogger } from '@fleetlog/shared/log';
import { commitIntervalMsMax, WriteBudget } from '#gateway/buffer/write-budget.js';
import { FakeClock } from '../support/fake-clock.js';

const dayMs = 86_400_000;

/** A disk to which each commit writes 5 KB of data a second and one page more. */
function simulate(bytesPerDay: number | undefined, hours: number) {
  const clock = new FakeClock();
  const warnings: string[] = [];
  const logger = { ...silentLogger, warn: (_: object, message: string) => warnings.push(message) };
  let written = 1e9; // before
  const budget = new WriteBudget({ commitIntervalMs: 250, bytesPerDay }, () => written, clock, logger);
  const startBytes = written;
  let longestMs = 0;
  for (let ms = 0; ms < hours * 3_600_000;) {
    const { commitIntervalMs } = budget;
    clock.advance(commitIntervalMs);
    ms += commitIntervalMs;
    written += 5 * commitIntervalMs + 4096;
    longestMs = Math.max(longestMs, commitIntervalMs);
  }
  return { written: written - startBytes, longestMs, warnings, state: budget.state };
}

describe('the budget of bytes written', () => {
  it('is kept by rarer commits, where that is enough', () => {
    const unlimited = simulate(undefined, 24);
    assert.ok(unlimited.written > 1.8e9);
    assert.equal(unlimited.longestMs, 250);
    const limited = simulate(0.8e9, 24);
    assert.ok(limited.written < 0.8e9, `${limited.written}`);
    assert.ok(limited.longestMs > 500 && limited.longestMs < commitIntervalMsMax, `${limited.longestMs}`);
    assert.deepEqual(limited.warnings, []);
  });

  it("changes nothing where it isn't reached", () => {
    assert.equal(simulate(5e9, 3).longestMs, 250);
  });

  it('never makes commits rarer than its limit, and says once a day that it is exceeded', () => {
    const { longestMs, warnings, state } = simulate(0.1e9, 20);
    assert.equal(longestMs, commitIntervalMsMax);
    assert.equal(warnings.length, 1);
    assert.equal(state.budgetBytesPerDay, 0.1e9);
  });

  it('begins anew each day', () => {
    const clock = new FakeClock();
    let written = 0;
    const limits = { commitIntervalMs: 250, bytesPerDay: 1e9 };
    const budget = new WriteBudget(limits, () => written, clock, silentLogger);
    for (let i = 0; i < 30; i++) {
      written += 1e8;
      clock.advance(11_000);
      assert.ok(budget.commitIntervalMs > 250);
    }
    clock.advance(dayMs);
    for (let i = 0; i < 30; i++) {
      clock.advance(11_000);
      assert.ok(budget.commitIntervalMs > 0);
    }
    assert.equal(budget.commitIntervalMs, 250);
  });
});
