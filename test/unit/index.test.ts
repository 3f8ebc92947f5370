import assert from 'node:assert/strict';
import { join } from 'node:path';
import fc from 'fast-check';
import { CanFrames, encodeCan, everyByte } from '@fleetlog/shared/can';
import { FleetlogError, isFleetlogError } from '@fleetlog/shared/errors';
import { silentLogger } from '@fleetlog/shared/log';
import { openRocksDb, type KeyRange, type ScanOptions, type StoreEntry } from '@fleetlog/shared/store';
import { systemClock, type Clock } from '@fleetlog/shared/util';
import {
  indexOver,
  openIndex as openIndexHere,
  openIndexInThread,
  type Index,
  type IndexOptions,
} from '#cloud/index/index.js';
import { seal } from '../support/batches.js';
import { all } from '../support/collect.js';
import { FaultyStore } from '../support/faulty-store.js';
import { MemoryLog } from '../support/memory-log.js';
import { append, canBatch, gapBatch, lineBatch } from '../support/recorded.js';
import { tempFolder } from '../support/temp-folder.js';

const epochs = ['aaaaaaaaaaaaaaaa', 'bbbbbbbbbbbbbbbb'];
const gateways = ['truck-1', 'truck-2', 'van-1'];
const noData = new Uint8Array(0);
const soon = (): AbortSignal => AbortSignal.timeout(10_000);

const options = (log: MemoryLog, changes: Partial<IndexOptions> = {}): IndexOptions => ({
  log,
  logger: silentLogger,
  clock: systemClock,
  ...changes,
});

/** One process's view of a store that outlives it. */
class Mortal extends FaultyStore {
  override close(): Promise<void> {
    return Promise.resolve();
  }
}

/** All that an index knows. */
async function contents(index: Index): Promise<unknown> {
  const all: unknown[] = [];
  for await (const summary of index.streams()) {
    all.push(summary);
    const { gateway, stream } = summary;
    const range = { gateway, stream, fromUs: -1e15, toUs: 4e15 };
    for await (const facts of index.batches(range)) all.push(facts);
  }
  for await (const gap of index.gaps()) all.push(gap);
  return all;
}

const plan = fc.array(
  fc.record({
    gateway: fc.constantFrom(...gateways),
    epoch: fc.nat(1),
    timeUs: fc.integer({ min: -5, max: 50 }),
    lengthUs: fc.nat(10),
    kind: fc.constantFrom('can', 'lines', 'gap', 'rubbish'),
  }),
  { minLength: 1, maxLength: 40 },
);
type Plan = typeof plan extends fc.Arbitrary<infer T> ? T : never;

async function appendPlan(log: MemoryLog, steps: Plan): Promise<void> {
  const next = new Map<string, number>();
  for (const [i, { gateway, epoch, timeUs, lengthUs, kind }] of steps.entries()) {
    const stream = kind === 'lines' ? 'gps0' : 'can0';
    const name = `${gateway}/${stream}/${epoch}`;
    const sequence = next.get(name) ?? 0;
    next.set(name, sequence + (kind === 'gap' ? 3 : 1));
    const header = { gateway, stream, epoch: epochs[epoch], sequence };
    const bytes =
      kind === 'can'
        ? canBatch([timeUs, timeUs + lengthUs], header)
        : kind === 'lines'
          ? lineBatch([{ timeUs, text: 'a line\n' }], header)
          : kind === 'gap'
            ? gapBatch(sequence, sequence + 2, 'expired', header)
            : Buffer.from('not a batch at all');
    await append(log, [bytes], { gateway, receiveTimeUs: 1000 + i });
  }
}

for (const [where, openIndex] of [
  ['in this thread', openIndexHere],
  ['in a thread of its own', openIndexInThread],
] as const) {
  describe(`index, written ${where}`, () => {
    it('built anew is the index that followed', async () => {
      await fc.assert(
        fc.asyncProperty(plan, fc.nat(40), async (steps, early) => {
          await using folder = await tempFolder('index');
          const log = new MemoryLog();
          await appendPlan(log, steps.slice(0, early));
          await using followed = await openIndex({ ...options(log), path: join(folder.path, 'a') });
          await appendPlan(log, steps.slice(early)); // other sequences would be there already: the log has no duplicates
          await followed.caughtUp(soon());
          await using rebuilt = await openIndex({ ...options(log), path: join(folder.path, 'b') });
          await rebuilt.caughtUp(soon());
          assert.deepEqual(await contents(rebuilt), await contents(followed));
          assert.equal(rebuilt.skipped(), steps.filter(({ kind }) => kind === 'rubbish').length);
          assert.equal(rebuilt.lag(), 0);
        }),
        { numRuns: 15 },
      );
    });

    it('leaves out what is no batch, counts it and goes on, also over a restart', async () => {
      await using folder = await tempFolder('index');
      const log = new MemoryLog(1);
      const good = canBatch([1], { sequence: 0 });
      const broken = Uint8Array.from(good);
      broken[20] ^= 1;
      const centuriesAway = canBatch([2 ** 53 - 2], { sequence: 2 });
      await append(log, [broken, good, Buffer.alloc(0), centuriesAway]);
      for (let life = 0; life < 2; life++) {
        await using index = await openIndex({ ...options(log), path: folder.path });
        await index.caughtUp(soon());
        assert.equal(index.skipped(), 3);
        assert.equal((await index.stream('truck-17', 'can0'))?.batches, 1);
      }
    });

    for (const [what, batches] of [
      ['shorter', 1],
      ['as long', 3],
    ] as const) {
      it(`is built anew where the log is another one, ${what}`, async () => {
        await using folder = await tempFolder('index');
        const before = new MemoryLog(1);
        await append(
          before,
          [0, 1, 2].map((sequence) => canBatch([sequence], { sequence, epoch: epochs[0] })),
        );
        {
          await using index = await openIndex({ ...options(before), path: folder.path });
          await index.caughtUp(soon());
        }
        const after = new MemoryLog(1);
        const others = Array.from({ length: batches }, (_, sequence) =>
          lineBatch([{ timeUs: sequence, text: 'x\n' }], { sequence, epoch: epochs[1] }),
        );
        await append(after, others);
        await using index = await openIndex({ ...options(after), path: folder.path });
        await index.caughtUp(soon());
        const streams = await all(index.streams());
        assert.deepEqual(
          streams.map((summary) => [summary.stream, summary.batches]),
          [['gps0', batches]],
        );
      });
    }

    it('goes on where the log has trimmed what it indexed last', async () => {
      await using folder = await tempFolder('index');
      const log = new MemoryLog(1);
      await append(log, [canBatch([0], { sequence: 0 }), canBatch([1], { sequence: 1 })]);
      {
        await using index = await openIndex({ ...options(log), path: folder.path });
        await index.caughtUp(soon());
      }
      await log.trim(0, 2);
      await append(log, [canBatch([2], { sequence: 2 })]);
      await using index = await openIndex({ ...options(log), path: folder.path });
      await index.caughtUp(soon());
      assert.equal((await index.stream('truck-17', 'can0'))?.batches, 3);
    });

    it('comes to the end of a log whose last entries were trimmed before it read them', async () => {
      await using folder = await tempFolder('index');
      const log = new MemoryLog();
      for (let i = 0; i < 4; i++) await append(log, [canBatch([i], { sequence: i })]);
      const partition = log.ends().findIndex(({ next }) => next > 0);
      await log.remove(partition, [[2, 3]]);
      await using index = await openIndex({ ...options(log), path: folder.path });
      await index.caughtUp(soon());
      assert.equal(index.lag(), 0);
      await append(log, [canBatch([4], { sequence: 4 })]);
      await index.caughtUp(soon());
      const { batches } = (await all(index.streams()))[0];
      assert.equal(batches, 3);
    });

    it('finds by time what overlaps a range, in order, and nothing of other streams', async () => {
      await using folder = await tempFolder('index');
      const log = new MemoryLog();
      const gateway = 'truck-1';
      const times = [
        [0, 100],
        [10, 20],
        [30, 40],
        [40, 90],
        [50, 60],
      ];
      await append(log, times.map((span, sequence) => canBatch(span, { gateway, sequence })).reverse(), {
        gateway,
      });
      await append(log, [canBatch([35], { gateway: 'truck-10', sequence: 0 })], { gateway: 'truck-10' });
      await append(log, [canBatch([35], { gateway, stream: 'can01', sequence: 0 })], { gateway });
      await using index = await openIndex({ ...options(log), path: folder.path });
      await index.caughtUp(soon());
      const found = async (fromUs: number, toUs: number): Promise<number[]> =>
        (await all(index.batches({ gateway, stream: 'can0', fromUs, toUs }))).map((facts) => facts.sequence);
      assert.deepEqual(await found(0, 1000), [0, 1, 2, 3, 4]);
      assert.deepEqual(await found(40, 41), [0, 2, 3]);
      assert.deepEqual(await found(95, 99), [0]);
      assert.deepEqual(await found(101, 1000), []);
      assert.deepEqual(await found(-100, 0), []);
    });

    it('leaves out the batches without the identifiers that are wanted, and no other one', async () => {
      await using folder = await tempFolder('index');
      const log = new MemoryLog(1);
      // Batch k has k + 1 identifiers, from 0x100 on; two hundred sets are more than the index keeps.
      const batches = Array.from({ length: 200 }, (_, k) => {
        const frames = new CanFrames();
        const bus = frames.busIndex('can0');
        for (let i = 0; i <= k; i++) frames.append(1e12 + 1e6 * k + i, 0x100 + i, 0, 0, bus, noData, 0, 0);
        const header = { gateway: 'truck-1', stream: 'can0', epoch: epochs[0], sequence: k };
        return seal(encodeCan(frames), header);
      });
      await append(log, batches, { gateway: 'truck-1' });
      await using index = await openIndex({ ...options(log), path: folder.path });
      await index.caughtUp(soon());
      const found = async (id: number): Promise<number[]> => {
        const range = { gateway: 'truck-1', stream: 'can0', fromUs: 0, toUs: 2e15 };
        const wanted = index.batches({ ...range, wants: (one) => (one === id ? everyByte : undefined) });
        return (await all(wanted)).map(({ sequence }) => sequence);
      };
      assert.equal((await found(0x100)).length, 200);
      const known = await found(0x100 + 30);
      assert.deepEqual(known, [...Array(200).keys()].slice(30));
      // Beyond what is kept, batches may be opened for nothing, and none is missed.
      const beyond = await found(0x100 + 150);
      assert.ok(beyond.length < 200);
      for (let k = 150; k < 200; k++) assert.ok(beyond.includes(k));
      assert.ok((await found(0x7ff)).length < 200);
    });

    it('tells facts, sums, epochs and gap records as the batches had them', async () => {
      await using folder = await tempFolder('index');
      const log = new MemoryLog(1);
      const header = {
        gateway: 'truck-1',
        epoch: epochs[1],
        boot: '0123456789abcdef',
        origin: 'simulated' as const,
      };
      const first = canBatch([-7, 5], { ...header, sequence: 3 });
      await append(log, [first, gapBatch(4, 9, 'corrupt', { ...header, gateway: 'truck-1' }, -1)], {
        receiveTimeUs: 77,
      });
      await append(log, [canBatch([6], { ...header, epoch: epochs[0], sequence: 0 })], { receiveTimeUs: 78 });
      await using index = await openIndex({ ...options(log), path: folder.path });
      await index.caughtUp(soon());
      const range = { gateway: 'truck-1', stream: 'can0', fromUs: -10, toUs: 10 };
      const [facts, other] = await all(index.batches(range));
      const { rawBytes, ...others } = facts;
      assert.ok(rawBytes > 0);
      assert.deepEqual(others, {
        firstTimeUs: -7,
        lastTimeUs: 5,
        epoch: epochs[1],
        epochOrder: 0,
        sequence: 3,
        partition: 0,
        offset: 0,
        receiveTimeUs: 77,
        boot: '0123456789abcdef',
        clock: { wallOffsetUs: 1_789_000_000_000_000, state: 'synced', uncertaintyUs: 250 },
        origin: 'simulated',
        kind: 'can',
        codec: 'can-1',
        records: 2,
        bytes: first.length,
      });
      assert.equal(other.epochOrder, 1);
      const summary = await index.stream('truck-1', 'can0');
      assert.deepEqual(
        [summary?.batches, summary?.records, summary?.firstTimeUs, summary?.lastTimeUs],
        [2, 3, -7, 6],
      );
      assert.deepEqual([summary?.epochs, summary?.lastReceiveTimeUs], [2, 78]);
      assert.deepEqual(await all(index.gaps({ stream: 'can0' })), [
        {
          gateway: 'truck-1',
          stream: 'can0',
          epoch: epochs[1],
          first: 4,
          last: 9,
          cause: 'corrupt',
          detail: 'as the test wants it',
          records: -1,
          firstTimeUs: 1_000_000,
          lastTimeUs: 2_000_000,
        },
      ]);
      assert.deepEqual(await all(index.gaps({ stream: 'can1' })), []);
    });

    it('lists more streams than go into a page, each once and in order', async () => {
      await using folder = await tempFolder('index');
      const log = new MemoryLog();
      const names = Array.from({ length: 700 }, (_, i) => `van-${String(i).padStart(3, '0')}`);
      for (const gateway of names) await append(log, [canBatch([0], { gateway, sequence: 0 })], { gateway });
      await using index = await openIndex({ ...options(log), path: folder.path });
      await index.caughtUp(soon());
      assert.deepEqual(
        (await all(index.streams())).map(({ gateway }) => gateway),
        names,
      );
    });

    it('says that its folder is in use, and is closed once', async () => {
      await using folder = await tempFolder('index');
      const log = new MemoryLog();
      const index = await openIndex({ ...options(log), path: folder.path });
      await assert.rejects(openIndex({ ...options(log), path: folder.path }), (error) =>
        isFleetlogError(error, 'FLEETLOG_LOCKED'),
      );
      await Promise.all([index.close(), index.close()]);
      await assert.rejects(index.stream('truck-1', 'can0'), (error) =>
        isFleetlogError(error, 'FLEETLOG_INTERRUPTED'),
      );
      await using _again = await openIndex({ ...options(log), path: folder.path });
    });
  });
}

describe('index over a store', () => {
  it('killed at any write goes on without counting twice', async () => {
    await using folder = await tempFolder('index');
    const log = new MemoryLog();
    await appendPlan(log, fc.sample(plan, { seed: 7, numRuns: 3 }).flat());
    const path = (name: string): { path: string; purpose: string } => ({
      path: join(folder.path, name),
      purpose: 'index folder',
    });
    await using whole = await openIndexHere({ ...options(log), ...path('whole') });
    await whole.caughtUp(soon());
    const expected = await contents(whole);

    for (let seed = 0; seed < 8; seed++) {
      await using disk = await openRocksDb(path(`killed-${seed}`));
      for (let life = 0, done = false; !done; life++) {
        const store = new Mortal(disk);
        const killedAt = 2 + ((seed + life) % 3);
        const write = store.write.bind(store);
        store.write = (operations) => {
          if (store.writes >= killedAt) store.failWrite = new FleetlogError('FLEETLOG_STORE', 'killed');
          return write(operations);
        };
        const index = await indexOver(store, options(log, { groupEntriesMax: 1 + ((seed + life) % 4) }));
        const dead = new AbortController();
        const watch = setInterval(() => store.failWrite && dead.abort(new Error('killed')), 1);
        await index.caughtUp(AbortSignal.any([dead.signal, soon()])).then(
          () => (done = true),
          () => assert.ok(store.failWrite, 'it stopped by itself'),
        );
        clearInterval(watch);
        if (done) assert.deepEqual(await contents(index), expected);
        await index.close();
      }
    }
  });

  it('tries a write again that failed, and counts once', async () => {
    await using folder = await tempFolder('index');
    const log = new MemoryLog();
    const store = new FaultyStore(await openRocksDb({ path: folder.path, purpose: 'index folder' }));
    let retries = 0;
    const clock: Clock = {
      ...systemClock,
      sleep: async (ms, signal) => {
        if (ms !== 1000) return systemClock.sleep(ms, signal);
        if (++retries === 3) store.failWrite = undefined;
      },
    };
    await using index = await indexOver(store, options(log, { clock }));
    await append(log, [canBatch([0], { sequence: 0 })]);
    await index.caughtUp(soon());
    store.failWrite = new FleetlogError('FLEETLOG_STORE_FULL', 'No space left.');
    await append(log, [canBatch([1, 2, 3], { sequence: 1 })]);
    await index.caughtUp(soon());
    assert.equal(retries, 3);
    const summary = await index.stream('truck-17', 'can0');
    assert.equal(summary?.batches, 2);
    assert.equal(summary?.records, 4);
  });

  it('waits for what was in the log at the call, and gives up when it is told to', async () => {
    await using folder = await tempFolder('index');
    const log = new MemoryLog(1);
    const store = new FaultyStore(await openRocksDb({ path: folder.path, purpose: 'index folder' }));
    await using index = await indexOver(store, options(log));
    await index.caughtUp(AbortSignal.abort(new Error('not waited for: nothing is missing')));
    store.failWrite = new FleetlogError('FLEETLOG_STORE', 'no');
    await append(log, [canBatch([0], { sequence: 0 })]);
    assert.equal(index.lag(), 1);
    await assert.rejects(index.caughtUp(AbortSignal.timeout(5)), { name: 'TimeoutError' });
    store.failWrite = undefined;
    await index.caughtUp(soon());
    assert.equal(index.lag(), 0);
  });

  it('opens without reading what it holds', async () => {
    await using folder = await tempFolder('index');
    const log = new MemoryLog(1);
    await append(
      log,
      Array.from({ length: 100 }, (_, sequence) => canBatch([sequence], { sequence })),
    );
    await using disk = await openRocksDb({ path: folder.path, purpose: 'index folder' });
    const first = await indexOver(new Mortal(disk), options(log));
    await first.caughtUp(soon());
    await first.close();
    const store = new Mortal(disk);
    store.entries = (_range: KeyRange, _options?: ScanOptions): AsyncIterable<StoreEntry> =>
      assert.fail('a scan');
    const second = await indexOver(store, options(log));
    await second.caughtUp(soon());
    await second.close();
  });
});
