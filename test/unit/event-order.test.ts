import assert from 'node:assert/strict';
import { RangeSet } from '@fleetlog/shared/util';
import { Backlog } from '#cloud/consumers/backlog.js';
import { EventOrder, HoldBudget } from '#cloud/consumers/event-order.js';
import { newLease } from '#cloud/consumers/lease.js';
import { OrderedPages } from '#cloud/consumers/ordered-pages.js';
import type { ConsumerEvent } from '#cloud/consumers/types.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeFleet } from '../support/fake-fleet.js';
import { MemoryLog } from '../support/memory-log.js';
import { canBatch } from '../support/recorded.js';

const gateway = 'truck-17';
const epoch = '0123456789abcdef';

/** A gateway that has sequences 3 to 9 in its buffer, of which the log has those from 8 on. */
function fleetWithBacklog(clock: FakeClock): FakeFleet {
  const fleet = new FakeFleet();
  const can0 = { kind: 'can', first: 3, next: 10, bytes: 7000, discarded: 0 };
  const status = { connected: true, epoch, version: '1', timeUs: clock.nowUs(), streams: { can0 } };
  fleet.gateways = [{ gateway, connected: true, lastSeenUs: clock.nowUs(), status }];
  const held = new RangeSet([
    [0, 2],
    [8, 9],
  ]);
  fleet.sequences = [{ gateway, epoch, stream: 'can0', held }];
  return fleet;
}

describe('the backlog that is waited for', () => {
  it('is what was announced a while ago and is not in the log, of gateways that were heard of lately', async () => {
    const clock = new FakeClock();
    const fleet = fleetWithBacklog(clock);
    const backlog = new Backlog(fleet, clock);
    const waitUs = 60e6;
    await backlog.look();
    assert.equal(backlog.isPending({}, waitUs), false, 'it may be on its way');
    clock.advance(1500);
    await backlog.look();
    assert.equal(backlog.isPending({}, waitUs), true);
    assert.equal(backlog.isPending({ gateways: new Set(['van-8']) }, waitUs), false);
    assert.equal(backlog.isPending({ streams: new Set(['gps0']) }, waitUs), false);
    assert.equal(backlog.isPending({ streams: new Set(['can0']) }, waitUs), true);
    assert.equal(backlog.isPending({}, 1e6), false, 'it was not heard of for longer than the wait');
    fleet.sequences[0].held.add(3, 7);
    await backlog.look();
    assert.equal(backlog.isPending({}, waitUs), false, 'all is there');
  });

  it('a gateway whose connection broke is waited for, and then for what it brings; one that said goodbye is not', async () => {
    const clock = new FakeClock();
    const fleet = fleetWithBacklog(clock);
    const [presence] = fleet.gateways;
    const { can0 } = presence.status!.streams;
    const backlog = new Backlog(fleet, clock);
    can0.first = can0.next; // it has nothing, by its last status
    clock.advance(10_000);
    presence.lastSeenUs = clock.nowUs();
    await backlog.look();
    assert.equal(backlog.isPending({}, 60e6), false);
    presence.connected = false;
    await backlog.look();
    assert.equal(backlog.isPending({}, 60e6), true);
    assert.equal(backlog.isPending({ gateways: new Set(['van-8']) }, 60e6), false);
    presence.connected = true;
    can0.next += 5;
    await backlog.look();
    assert.equal(backlog.isPending({}, 60e6), true, 'at once: it comes from an outage');
    presence.connected = false;
    clock.advance(61_000);
    await backlog.look();
    assert.equal(backlog.isPending({}, 60e6), false, 'it had its time');
    can0.first = can0.next;
    presence.lastSeenUs = clock.nowUs();
    presence.status!.timeUs = clock.nowUs();
    await backlog.look();
    assert.equal(backlog.isPending({}, 60e6), false, 'it said goodbye, and has nothing');
  });

  it('what nobody has any more, and another epoch has, is not waited for; a stream of which nothing came is', async () => {
    const clock = new FakeClock();
    const fleet = fleetWithBacklog(clock);
    const { streams } = fleet.gateways[0].status!;
    const backlog = new Backlog(fleet, clock);
    const settled = async (): Promise<boolean> => {
      await backlog.look();
      clock.advance(1500);
      await backlog.look();
      return backlog.isPending({}, 60e6);
    };
    streams.can0.first = 8; // 3 to 7 are lost
    assert.equal(await settled(), false);
    fleet.sequences[0].epoch = 'fedcba9876543210';
    assert.equal(await settled(), true);
    fleet.sequences = [];
    assert.equal(await settled(), true);
  });
});

describe('the order of event time at the end of the log', () => {
  const waitUs = 60e6;
  const minuteUs = 60e6;

  async function heldBatch(): Promise<{
    clock: FakeClock;
    log: MemoryLog;
    give: () => Promise<string[]>;
    arrives: (agoUs: number) => Promise<void>;
    backlog: { isPending: () => boolean };
  }> {
    const clock = new FakeClock();
    const log = new MemoryLog(1);
    const backlog = { isPending: (): boolean => false };
    const order = new EventOrder(
      { waitUs, timeOf: async (header) => header.firstTimeUs },
      new HoldBudget(1e6, 100),
    );
    const counters = { skipped: { trimmed: 0, unreadable: 0 }, late: 0 };
    const known = { isPending: () => backlog.isPending() };
    const pages = new OrderedPages({ order, backlog: known, log, clock, filter: {}, counters });
    const lease = newLease(0, 0, 0);
    const leases = new Map([[0, lease]]);
    const startUs = clock.nowUs();
    return {
      clock,
      log,
      backlog,
      arrives: async (agoUs) => {
        const bytes = canBatch([startUs - agoUs], { gateway });
        const [offset] = await log.append([{ partition: 0, receiveTimeUs: clock.nowUs(), bytes }]);
        lease.read = offset + 1;
        lease.readTimeUs = clock.nowUs();
        const read = { event: 'batch', partition: 0, offset, receiveTimeUs: clock.nowUs(), bytes } as const;
        await pages.hold([read], leases, []);
      },
      give: async () => {
        pages.look(leases, false);
        const events: ConsumerEvent[] = [];
        await pages.give(leases, events);
        return events.flatMap((one) =>
          one.event === 'batch' ? [`${one.offset}<${one.next}${one.late ? ' late' : ''}`] : [],
        );
      },
    };
  }

  it('a batch waits a moment for others that are on their way, and what may be committed says what waits yet', async () => {
    const { clock, give, arrives } = await heldBatch();
    await arrives(0);
    clock.advance(1000);
    await arrives(5 * minuteUs);
    assert.deepEqual(await give(), []);
    clock.advance(1000);
    assert.deepEqual(
      await give(),
      ['1<0', '0<2'],
      'the one recorded before goes before, however short it waited',
    );
  });

  it('it waits for the backlog as long as the bound lets it; what comes later goes at once, and is marked', async () => {
    const { clock, give, arrives, backlog } = await heldBatch();
    backlog.isPending = () => true;
    await arrives(0);
    clock.advance(59_000);
    await arrives(2 * minuteUs);
    assert.deepEqual(await give(), []);
    clock.advance(1000);
    assert.deepEqual(await give(), ['1<0', '0<2']);
    await arrives(minuteUs);
    assert.deepEqual(await give(), ['2<3 late']);
  });

  it('when the backlog is there nothing waits any more', async () => {
    const { clock, give, arrives, backlog } = await heldBatch();
    backlog.isPending = () => true;
    await arrives(0);
    clock.advance(10_000);
    await arrives(minuteUs);
    assert.deepEqual(await give(), []);
    backlog.isPending = () => false;
    assert.deepEqual(await give(), ['1<0', '0<2']);
  });
});
