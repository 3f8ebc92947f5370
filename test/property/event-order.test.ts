import assert from 'node:assert/strict';
import { decodeBatch } from '@fleetlog/shared/batch';
import fc from 'fast-check';
import { silentLogger } from '@fleetlog/shared/log';
import { systemClock } from '@fleetlog/shared/util';
import { groupLimits, Groups } from '#cloud/consumers/groups.js';
import type { ConsumerEvent } from '#cloud/consumers/types.js';
import { MemoryLog } from '../support/memory-log.js';
import { canBatch } from '../support/recorded.js';

const partitions = 3;
const waitUs = 50;
const member = {
  filter: {},
  untilEnd: true,
  silenceMsMax: undefined,
  heartbeatMs: 60_000,
  order: { waitUs, timeOf: async (header: { firstTimeUs: number }) => header.firstTimeUs },
};

interface Arrival {
  partition: number;
  receiveTimeUs: number;
  timeUs: number;
}
type BatchEvent = Extract<ConsumerEvent, { event: 'batch' }>;

/** Most are recorded shortly before they arrive, some long before. */
const arrivals = fc
  .array(
    fc.record({
      partition: fc.nat(partitions - 1),
      afterUs: fc.nat(9),
      ageUs: fc.oneof({ weight: 5, arbitrary: fc.nat(15) }, { weight: 1, arbitrary: fc.nat(400) }),
    }),
    { minLength: 100, maxLength: 900, size: 'max' },
  )
  .map((steps) => {
    let nowUs = 1_000_000;
    return steps.map(({ partition, afterUs, ageUs }): Arrival => {
      nowUs += afterUs;
      return { partition, receiveTimeUs: nowUs, timeUs: nowUs - ageUs };
    });
  });

const timeOf = ({ bytes }: BatchEvent): number => decodeBatch(bytes).header.firstTimeUs;

async function logOf(all: readonly Arrival[]): Promise<MemoryLog> {
  const log = new MemoryLog(partitions);
  for (const { partition, receiveTimeUs, timeUs } of all) {
    await log.append([{ partition, receiveTimeUs, bytes: canBatch([timeUs], { gateway: `g${partition}` }) }]);
  }
  return log;
}

/** Reads to the end, or until `take` batches have come; commits after each as a consumer would. */
async function read(groups: Groups, take = Infinity): Promise<BatchEvent[]> {
  const start = async (): Promise<Map<number, number>> =>
    new Map(Array.from({ length: partitions }, (_, partition) => [partition, 0]));
  const { member: id, events } = await groups.join('g', start, member, new AbortController().signal);
  const seen: BatchEvent[] = [];
  for await (const page of events) {
    for (const event of page) {
      if (seen.length >= take) return seen;
      if (event.event === 'batch') seen.push(event);
      if (event.event !== 'batch' && event.event !== 'position') continue;
      assert.deepEqual(await groups.commit('g', id, new Map([[event.partition, event.next!]])), []);
    }
  }
  return seen;
}

const place = ({ partition, offset }: BatchEvent): string => `${partition}:${offset}`;

describe('batches in the order of event time, property', () => {
  it('come once each; one that comes behind a later one is marked, and came when the other had waited long enough', async () => {
    await fc.assert(
      fc.asyncProperty(arrivals, fc.boolean(), async (all, hasRoom) => {
        const log = await logOf(all);
        const limits = { ...groupLimits, heldBytesMax: hasRoom ? 1e6 : 0 };
        await using groups = await Groups.open({ log, clock: systemClock, logger: silentLogger, limits });
        const seen = await read(groups);
        assert.equal(new Set(seen.map(place)).size, all.length);
        assert.equal(seen.length, all.length);
        let latest: BatchEvent | undefined;
        let late = 0;
        for (const event of seen) {
          const isBehind = latest !== undefined && timeOf(event) < timeOf(latest);
          assert.equal(event.late ?? false, isBehind);
          if (event.late) {
            late++;
            const waited = seen.slice(0, seen.indexOf(event)).some((earlier) => {
              const isLater = timeOf(earlier) > timeOf(event);
              return isLater && earlier.receiveTimeUs + waitUs <= event.receiveTimeUs;
            });
            assert.ok(waited, `${place(event)} is late, and nothing had waited for it`);
          } else latest = event;
        }
        assert.equal(groups.counters.late, late);
      }),
      { numRuns: 25, endOnFailure: true },
    );
  });

  it('whoever dies and goes on from its checkpoint has seen each at least once, however little may be held', async () => {
    await fc.assert(
      fc.asyncProperty(arrivals, fc.nat(400), fc.constantFrom(5, 1e6), async (all, take, heldBatchesMax) => {
        const log = await logOf(all);
        const limits = { ...groupLimits, heldBatchesMax };
        await using groups = await Groups.open({ log, clock: systemClock, logger: silentLogger, limits });
        const seen = new Set((await read(groups, take)).map(place));
        for (const event of await read(groups)) seen.add(place(event));
        assert.equal(seen.size, all.length);
      }),
      { numRuns: 25, endOnFailure: true },
    );
  });
});
