import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { silentLogger } from '@fleetlog/shared/log';
import { Budget } from '#gateway/uplink/budget.js';
import { WireMeter } from '#gateway/uplink/wire-meter.js';
import { FakeClock } from '../support/fake-clock.js';
import { tempFolder } from '../support/temp-folder.js';

const november = Date.UTC(2026, 10, 30, 23, 0) * 1000;

describe('the meter of the wire', () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  let path: string;
  beforeEach(async () => {
    folder = await tempFolder('meter');
    path = join(folder.path, 'data', 'traffic.json');
  });
  afterEach(() => folder[Symbol.asyncDispose]());
  const load = (clock: FakeClock): WireMeter => WireMeter.load(path, clock, silentLogger);

  it('goes on after a restart where it was', async () => {
    const clock = new FakeClock(november);
    const meter = load(clock);
    meter.add(1000, 200);
    await meter.save();
    const again = load(clock);
    again.add(1, 1);
    assert.deepEqual(again.month, { month: '2026-11', sent: 1001, received: 201 });
  });

  it('begins anew with each month, by UTC', async () => {
    const clock = new FakeClock(november);
    const meter = load(clock);
    meter.add(1000, 200);
    clock.advance(2 * 3_600_000);
    assert.deepEqual(meter.month, { month: '2026-12', sent: 0, received: 0 });
    meter.add(5, 6);
    await meter.save();
    assert.deepEqual(load(clock).month, { month: '2026-12', sent: 5, received: 6 });
  });

  it('keeps the month that it has while the clock is not set', async () => {
    const meter = load(new FakeClock(november));
    meter.add(1000, 200);
    await meter.save();
    const unset = load(new FakeClock(5_000_000));
    unset.add(10, 0);
    assert.deepEqual(unset.month, { month: '2026-11', sent: 1010, received: 200 });
  });

  it('writes by itself after a MiB, and after a minute', async () => {
    const clock = new FakeClock(november);
    const meter = load(clock);
    meter.add(1 << 20, 0);
    await meter.save(); // joins the one under way
    assert.match(await readFile(path, 'utf8'), /1048576/);
    clock.advance(59_000);
    meter.add(1, 0);
    assert.match(await readFile(path, 'utf8'), /1048576/);
    clock.advance(1000);
    meter.add(1, 0);
    await meter.save();
    assert.match(await readFile(path, 'utf8'), /1048578/);
  });

  it('counts anew, saying so, where its file makes no sense', async () => {
    await load(new FakeClock(november)).save();
    await writeFile(path, '{"month": "2026-11", "sent": -1}');
    const said: string[] = [];
    const logger = { ...silentLogger, warn: (_facts: object, message: string) => void said.push(message) };
    const meter = WireMeter.load(path, new FakeClock(november), logger);
    assert.deepEqual(meter.month, { month: '2026-11', sent: 0, received: 0 });
    assert.equal(said.length, 1);
  });

  describe('with a budget', () => {
    const events: string[] = [];
    const budgetOf = (meter: WireMeter, priority = 7): Budget =>
      new Budget(
        meter,
        { bytes: 1000, priority },
        {
          priorityOf: (stream) => ({ events: Infinity, alarms: 7 })[stream] ?? 5,
          events: { note: (type) => void events.push(type) },
          logger: silentLogger,
        },
      );
    const allowed = (budget: Budget): string =>
      ['events', 'alarms', 'can0'].filter((stream) => budget.allows(stream)).join(' ');
    beforeEach(() => void (events.length = 0));

    it('warns once at 80 %, and at its end lets only events and what has priority go on', () => {
      const budget = budgetOf(load(new FakeClock(november)));
      budget.count(500, 299);
      assert.deepEqual([events, budget.report().level], [[], 'within']);
      budget.count(1, 0);
      budget.count(100, 0);
      assert.deepEqual(events, ['uplink.budget-nearly-used']);
      assert.equal(allowed(budget), 'events alarms can0');
      budget.count(0, 100);
      budget.count(50, 0);
      assert.deepEqual(events, ['uplink.budget-nearly-used', 'uplink.budget-used-up']);
      assert.equal(allowed(budget), 'events alarms');
    });

    it('lets everything go on with the next month', () => {
      const clock = new FakeClock(november);
      const budget = budgetOf(load(clock), 10);
      budget.count(2000, 0);
      assert.equal(allowed(budget), 'events');
      clock.advance(2 * 3_600_000);
      assert.equal(allowed(budget), 'events alarms can0');
      assert.equal(budget.report().month, '2026-12');
    });

    it('says nothing again after a restart', async () => {
      const clock = new FakeClock(november);
      const meter = load(clock);
      budgetOf(meter).count(1000, 0);
      await meter.save();
      events.length = 0;
      const budget = budgetOf(load(clock));
      budget.count(1, 0);
      assert.deepEqual([events, budget.report().level], [[], 'used-up']);
    });
  });
});
