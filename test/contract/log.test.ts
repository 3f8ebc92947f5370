import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { FleetlogError, isFleetlogError } from '@fleetlog/shared/errors';
import { silentLogger } from '@fleetlog/shared/log';
import { openRocksDb } from '@fleetlog/shared/store';
import { systemClock } from '@fleetlog/shared/util';
import type { Log } from '#cloud/log/log.js';
import { logOver, openLog } from '#cloud/log/rocksdb-log.js';
import { FaultyStore } from '../support/faulty-store.js';
import { MemoryLog } from '../support/memory-log.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';
import { groupsContract } from './groups-contract.js';
import { bytesOf, entry, logContract, textOf, textsIn, type LogKind } from './log-contract.js';

const parts = { logger: silentLogger, clock: systemClock };

const noteText = (value: Uint8Array): string => Buffer.from(value).toString();

const onDisk: LogKind = {
  name: 'rocksdb',
  open: (path) => openLog({ path: join(path, 'log'), partitions: 4, ...parts }),
  isDense: true,
  modelRuns: 25,
};
logContract(onDisk);
groupsContract(onDisk);

/** Nothing to open again: it is the same as long as the process lives. */
const inMemory = new Map<string, MemoryLog>();
const ofMemory: LogKind = {
  name: 'memory',
  open: async (path) => {
    const log = inMemory.get(path) ?? new MemoryLog(4);
    inMemory.set(path, log);
    return log;
  },
  isDense: true,
  modelRuns: 25,
};
logContract(ofMemory);
groupsContract({ ...ofMemory, modelRuns: 100 });

describe('log on RocksDB', () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  beforeEach(async () => {
    folder = await tempFolder('log');
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  const openFaulty = async (): Promise<{ store: FaultyStore; log: Log }> => {
    const store = new FaultyStore(await openRocksDb({ path: folder.path, purpose: 'data folder' }));
    return { store, log: await logOver(store, { ...parts, partitions: 2 }) };
  };

  it('notes alone go with the append that comes next while one is written, and cost no barrier', async () => {
    const { store, log } = await openFaulty();
    await using closing = log;
    const held = Promise.withResolvers<void>();
    store.holdSync = held.promise;
    const before = store.syncs;
    const first = closing.append([entry(0, 'a')]);
    await until('it is being synced', () => store.syncs > before);
    const notes = ['x', 'y'].map((key) => closing.append([], [{ key, value: bytesOf(key) }]));
    const second = closing.append([entry(0, 'b')], [{ key: 'y', value: bytesOf('of the append') }]);
    held.resolve();
    assert.deepEqual(await Promise.all(notes), [[], []]);
    assert.deepEqual([await first, await second], [[0], [1]]);
    assert.equal(store.syncs - before, 2);
    assert.equal(noteText((await closing.note('x'))!), 'x');
    assert.equal(
      noteText((await closing.note('y'))!),
      'of the append',
      'what was asked for later is what stays',
    );
  });

  it('notes that no append takes are written alone, and those that are waiting when the log closes as well', async () => {
    const { store, log } = await openFaulty();
    const held = Promise.withResolvers<void>();
    store.holdSync = held.promise;
    const append = log.append([entry(0, 'a')]);
    const alone = log.append([], [{ key: 'alone', value: bytesOf('1') }]);
    held.resolve();
    await append;
    await alone;
    const hold = Promise.withResolvers<void>();
    store.holdSync = hold.promise;
    const last = log.append([entry(0, 'b')]);
    const waiting = log.append([], [{ key: 'waiting', value: bytesOf('2') }]);
    const closed = log[Symbol.asyncDispose]();
    hold.resolve();
    await Promise.all([last, waiting, closed]);
    await using again = await openLog({ path: folder.path, ...parts });
    assert.equal(noteText((await again.note('alone'))!), '1');
    assert.equal(noteText((await again.note('waiting'))!), '2');
  });

  it('notes that go with an append which fails are told so, and may be tried again', async () => {
    const { store, log } = await openFaulty();
    await using closing = log;
    const held = Promise.withResolvers<void>();
    store.holdSync = held.promise;
    const { syncs } = store;
    const first = closing.append([entry(0, 'a')]);
    await until('the first is being synced', () => store.syncs > syncs);
    const note = closing.append([], [{ key: 'x', value: bytesOf('x') }]);
    const second = closing.append([entry(0, 'b')]);
    const outcome = Promise.allSettled([note, second]);
    store.holdSync = undefined;
    store.failWrite = new FleetlogError('FLEETLOG_STORE_FULL', 'The disk is full.');
    held.resolve();
    await first;
    assert.deepEqual(
      (await outcome).map(({ status }) => status),
      ['rejected', 'rejected'],
    );
    store.failWrite = undefined;
    await closing.append([], [{ key: 'x', value: bytesOf('x') }]);
    assert.equal(noteText((await closing.note('x'))!), 'x');
  });

  it('nobody sees an entry before its barrier is done', async () => {
    const { store, log } = await openFaulty();
    await using closing = log;
    const held = Promise.withResolvers<void>();
    store.holdSync = held.promise;
    const syncs = store.syncs;
    const stop = new AbortController();
    const follow = closing.follow(0, 0, stop.signal)[Symbol.asyncIterator]();
    const followed = follow.next();
    let isDone = false;
    const append = log.append([entry(0, 'a')]).finally(() => (isDone = true));
    await until('the barrier has begun', () => store.syncs > syncs);
    assert.equal(isDone, false);
    assert.deepEqual(log.ends()[0], { partition: 0, first: 0, next: 0 });
    assert.deepEqual(await textsIn(log, 0), []);
    assert.deepEqual(await log.get(0, [0]), [undefined]);
    held.resolve();
    assert.deepEqual(await append, [0]);
    assert.equal(textOf((await followed).value as { bytes: Uint8Array }), 'a');
    stop.abort();
    await follow.next();
  });

  it('a write that fails changes nothing, and its offsets are given to the next', async () => {
    const { store, log } = await openFaulty();
    await using closing = log;
    await log.append([entry(0, 'a')], [{ key: 'k', value: bytesOf('1') }]);
    store.failWrite = new FleetlogError('FLEETLOG_STORE_FULL', 'No space left.');
    await assert.rejects(log.append([entry(0, 'b')], [{ key: 'k', value: bytesOf('2') }]), (error) =>
      isFleetlogError(error, 'FLEETLOG_STORE_FULL'),
    );
    store.failWrite = undefined;
    assert.equal(String(await log.note('k')), '1');
    assert.deepEqual(await closing.append([entry(0, 'c')]), [1]);
    assert.deepEqual(await textsIn(log, 0), ['a', 'c']);
  });

  it('a barrier that fails is tried again, and the append resolves when one has worked', async () => {
    const { store, log } = await openFaulty();
    await using closing = log;
    store.failSync = new FleetlogError('FLEETLOG_SYNC', 'Sync failed.');
    const syncs = store.syncs;
    const append = closing.append([entry(0, 'a')]);
    await until('it was tried again', () => store.syncs >= syncs + 2);
    assert.deepEqual(await textsIn(log, 0), []);
    store.failSync = undefined;
    assert.deepEqual(await append, [0]);
    assert.deepEqual(await textsIn(log, 0), ['a']);
  });

  it('closing gives up on a barrier that keeps failing', async () => {
    const { store, log } = await openFaulty();
    store.failSync = new FleetlogError('FLEETLOG_SYNC', 'Sync failed.');
    const syncs = store.syncs;
    const append = log.append([entry(0, 'a')]);
    const failed = assert.rejects(append, (error) => isFleetlogError(error, 'FLEETLOG_SYNC'));
    await until('it was tried', () => store.syncs > syncs);
    await log[Symbol.asyncDispose]();
    await failed;
    await assert.rejects(log.append([entry(0, 'b')]), (error) =>
      isFleetlogError(error, 'FLEETLOG_INTERRUPTED'),
    );
  });

  it('a second process on the folder is told so', async () => {
    const open = (): Promise<Log> => openLog({ path: join(folder.path, 'log'), ...parts });
    await using log = await open();
    await assert.rejects(open(), (error) => isFleetlogError(error, 'FLEETLOG_LOCKED'));
    assert.deepEqual(await log.append([entry(0, 'undisturbed')]), [0]);
  });

  it('the number of partitions stays what it was at the beginning', async () => {
    const open = (partitions?: number): Promise<Log> =>
      openLog({ path: join(folder.path, 'log'), partitions, ...parts });
    await (await open(3))[Symbol.asyncDispose]();
    await using log = await open();
    assert.equal(log.partitionCount, 3);
    await log[Symbol.asyncDispose]();
    await assert.rejects(open(5), (error) => isFleetlogError(error, 'FLEETLOG_CONFIG'));
  });

  it('a process that is killed loses nothing that it was told is durable, and no half append', async function () {
    this.timeout(120_000);
    for (let round = 0; round < 4; round++) {
      const child = fork(new URL('../support/log-child.js', import.meta.url), [join(folder.path, 'log')], {
        silent: true,
      });
      const durable = [-1, -1];
      let lines = 0;
      const reading = createInterface({ input: child.stdout as NodeJS.ReadableStream });
      reading.on('line', (line) => {
        const [partition, offset] = line.split(' ').map(Number);
        durable[partition] = offset;
        lines++;
      });
      await until('it has appended', () => lines > 20 + 30 * round, 60_000);
      child.kill('SIGKILL');
      await Promise.all([once(child, 'exit'), once(reading, 'close')]);
      await using log = await openLog({ path: join(folder.path, 'log'), ...parts });
      const next = log.ends().map((ends) => ends.next);
      assert.ok(next[1] > durable[1], `round ${round}: ${next.join()} after ${durable.join()}`);
      assert.deepEqual(JSON.parse(String(await log.note('next'))), next, 'the note is of the last append');
      for (const partition of [0, 1]) {
        const texts = await textsIn(log, partition);
        assert.equal(texts.length, next[partition]);
        assert.ok(texts.every((text, offset) => text.trimEnd() === `${partition}:${offset}`));
      }
    }
  });
});
