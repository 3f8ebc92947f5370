import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import fc from 'fast-check';
import { FleetlogError, isFleetlogError } from '@fleetlog/shared/errors';
import { silentLogger } from '@fleetlog/shared/log';
import { openRocksDb } from '@fleetlog/shared/store';
import { systemClock } from '@fleetlog/shared/util';
import type { Log, LogAppend } from '#cloud/log/log.js';
import { logOver, openLog } from '#cloud/log/rocksdb-log.js';
import { all } from '../support/collect.js';
import { FaultyStore } from '../support/faulty-store.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

const parts = { logger: silentLogger, clock: systemClock };
const bytesOf = (text: string): Uint8Array => Buffer.from(text);
const textOf = ({ bytes }: { bytes: Uint8Array }): string => Buffer.from(bytes).toString();
const entry = (partition: number, text: string, receiveTimeUs = 1000): LogAppend => ({
  partition,
  receiveTimeUs,
  bytes: bytesOf(text),
});
const entries = (partition: number, count: number, from = 0): LogAppend[] =>
  Array.from({ length: count }, (_, i) => entry(partition, `${partition}-${from + i}`, 1000 + from + i));

async function textsIn(log: Log, partition: number, offset = 0, limit = Infinity): Promise<string[]> {
  return (await all(log.read(partition, offset, { limit }))).map(textOf);
}

/** What every log must do; `reopen` closes and opens the same log. */
function logContract(name: string, open: (path: string) => Promise<Log>): void {
  describe(`log: ${name}`, () => {
    const test = (title: string, body: (log: Log, reopen: () => Promise<Log>) => Promise<void>): void => {
      it(title, async () => {
        await using folder = await tempFolder('log');
        let log = await open(folder.path);
        try {
          await body(log, async () => {
            await log[Symbol.asyncDispose]();
            return (log = await open(folder.path));
          });
        } finally {
          await log[Symbol.asyncDispose]();
        }
      });
    };

    test('each append gets the next offsets of its partition, in the order given', async (log) => {
      assert.deepEqual(await log.append([entry(1, 'a'), entry(0, 'b'), entry(1, 'c')]), [0, 0, 1]);
      assert.deepEqual(await log.append([entry(1, 'd')]), [2]);
      assert.deepEqual(await textsIn(log, 1), ['a', 'c', 'd']);
      assert.deepEqual(await textsIn(log, 0), ['b']);
      assert.deepEqual(log.ends().slice(0, 2), [
        { partition: 0, first: 0, next: 1 },
        { partition: 1, first: 0, next: 3 },
      ]);
    });

    test('appends that overlap get disjoint offsets without holes', async (log) => {
      const given = await Promise.all(Array.from({ length: 50 }, (_, i) => log.append(entries(0, 3, 3 * i))));
      assert.deepEqual(
        given.flat(),
        Array.from({ length: 150 }, (_, i) => i),
      );
      assert.equal((await textsIn(log, 0)).length, 150);
    });

    test('what was appended is there after a restart, and offsets go on', async (log, reopen) => {
      await log.append(entries(0, 5));
      log = await reopen();
      assert.deepEqual(await textsIn(log, 0), ['0-0', '0-1', '0-2', '0-3', '0-4']);
      assert.deepEqual(await log.append([entry(0, 'x')]), [5]);
    });

    test('offsets are never given twice, also after a trim of everything and a restart', async (log, reopen) => {
      await log.append(entries(0, 5));
      await log.trim(0, 5);
      assert.deepEqual(await textsIn(log, 0), []);
      assert.deepEqual(log.ends()[0], { partition: 0, first: 5, next: 5 });
      log = await reopen();
      assert.deepEqual(log.ends()[0], { partition: 0, first: 5, next: 5 });
      assert.deepEqual(await log.append([entry(0, 'x')]), [5]);
      log = await reopen();
      assert.deepEqual(await textsIn(log, 0), ['x']);
    });

    test('a trim forgets what is before its offset, and nothing else', async (log, reopen) => {
      await log.append([...entries(0, 10), ...entries(1, 10)]);
      await log.trim(0, 4);
      await log.trim(0, 2); // goes nowhere
      await log.trim(1, 100); // not beyond the end
      log = await reopen();
      assert.deepEqual(log.ends().slice(0, 2), [
        { partition: 0, first: 4, next: 10 },
        { partition: 1, first: 10, next: 10 },
      ]);
      assert.deepEqual(await textsIn(log, 0, 0, 2), ['0-4', '0-5']);
      assert.deepEqual(
        (await log.get(0, [3, 4, 9, 10])).map((found) => found && textOf(found)),
        [undefined, '0-4', '0-9', undefined],
      );
    });

    test('reads begin at the offset, keep to the limit and end where the log ended', async (log) => {
      await log.append(entries(0, 300));
      assert.deepEqual(await textsIn(log, 0, 298), ['0-298', '0-299']);
      assert.deepEqual((await textsIn(log, 0, 100, 150)).at(-1), '0-249');
      assert.deepEqual(await textsIn(log, 0, 300), []);
      assert.deepEqual(await textsIn(log, 0, 5000), []);
      const read = log.read(0, 0)[Symbol.asyncIterator]();
      await read.next();
      await log.append(entries(0, 1, 300));
      let count = 1;
      while (!(await read.next()).done) count++;
      assert.equal(count, 300);
    });

    test('bytes come out as they went in, from none to megabytes', async (log, reopen) => {
      const sizes = [0, 1, 1023, 1024, 5000, 3_000_000];
      const values = sizes.map((size) => Buffer.alloc(size, size % 251));
      await log.append(values.map((bytes) => ({ partition: 0, receiveTimeUs: 2 ** 52, bytes })));
      log = await reopen();
      const read = await all(log.read(0, 0));
      assert.deepEqual(
        read.map(({ bytes }) => bytes.length),
        sizes,
      );
      assert.ok(read.every(({ bytes }, i) => values[i].equals(bytes)));
      assert.ok(read.every(({ receiveTimeUs }) => receiveTimeUs === 2 ** 52));
    });

    test('a caller may change its buffers once the append has resolved', async (log) => {
      const bytes = Buffer.from('before');
      await log.append([{ partition: 0, receiveTimeUs: 1, bytes }]);
      bytes.fill('x');
      assert.deepEqual(await textsIn(log, 0), ['before']);
    });

    test('receive times never go back within a partition, so that a time finds its offset', async (log, reopen) => {
      const times = [1000, 3000, 2000, 3000, 5000];
      await log.append(times.map((time) => entry(0, String(time), time)));
      const read = await all(log.read(0, 0));
      assert.deepEqual(
        read.map(({ receiveTimeUs }) => receiveTimeUs),
        [1000, 3000, 3000, 3000, 5000],
      );
      log = await reopen();
      await log.append([entry(0, 'clock stepped back', 10)]);
      for (const [time, offset] of [
        [0, 0],
        [1000, 0],
        [1001, 1],
        [3000, 1],
        [3001, 4],
        [5000, 4],
        [5001, 6],
      ]) {
        assert.equal(await log.offsetAt(0, time), offset, `at ${time}`);
      }
      await log.trim(0, 3);
      assert.equal(await log.offsetAt(0, 0), 3);
      assert.equal(await log.offsetAt(1, 0), 0, 'an empty partition');
    });

    test('notes change with their append, are found by prefix and outlive a restart', async (log, reopen) => {
      await log.append(
        [entry(0, 'a')],
        [
          { key: 'held/a/1', value: bytesOf('one') },
          { key: 'held/b/1', value: bytesOf('two') },
        ],
      );
      await log.append(
        [],
        [
          { key: 'held/a/1', value: bytesOf('three') },
          { key: 'hello', value: bytesOf('ü') },
          { key: 'held/aa', value: bytesOf('four') },
        ],
      );
      log = await reopen();
      const found = await all(log.notes('held/'));
      assert.deepEqual(
        found.map(({ key, value }) => [key, Buffer.from(value).toString()]),
        [
          ['held/a/1', 'three'],
          ['held/aa', 'four'],
          ['held/b/1', 'two'],
        ],
      );
      assert.equal(String(await log.note('hello')), 'ü');
      assert.equal(await log.note('hel'), undefined);
    });

    test('hundreds of notes are listed once each', async (log) => {
      const keys = Array.from({ length: 700 }, (_, i) => `n/${String(i).padStart(4, '0')}`);
      await log.append(
        [],
        keys.map((key) => ({ key, value: bytesOf(key) })),
      );
      assert.deepEqual(
        (await all(log.notes('n/'))).map(({ key }) => key),
        keys,
      );
    });

    test('follow gives each entry once and in order, while appends and trims go on', async (log) => {
      await log.append(entries(0, 500));
      const stop = new AbortController();
      const followed: number[] = [];
      const following = (async () => {
        for await (const { offset, bytes } of log.follow(0, 3, stop.signal)) {
          assert.equal(textOf({ bytes }), `0-${offset}`);
          followed.push(offset);
        }
      })();
      for (let round = 0; round < 40; round++) {
        await log.append([...entries(0, 25, 500 + 25 * round), ...entries(1, 5)]);
        if (round === 30) await log.trim(0, 3);
      }
      await until('all is followed', () => followed.length >= 1497);
      stop.abort();
      await following;
      assert.deepEqual(
        followed,
        Array.from({ length: 1497 }, (_, i) => i + 3),
      );
    });

    test('a follower that is far behind after a restart misses nothing', async (log, reopen) => {
      await log.append(entries(0, 1000));
      log = await reopen();
      const stop = new AbortController();
      const followed: number[] = [];
      for await (const { offset } of log.follow(0, 0, stop.signal)) {
        followed.push(offset);
        if (offset === 999) stop.abort();
      }
      assert.deepEqual(followed, [...Array(1000).keys()]);
    });

    test('a follower that waits wakes at the next append, and ends when its signal aborts', async (log) => {
      const stop = new AbortController();
      const follow = log.follow(1, 0, stop.signal)[Symbol.asyncIterator]();
      const first = follow.next();
      await log.append([entry(1, 'news')]);
      assert.equal(textOf((await first).value as { bytes: Uint8Array }), 'news');
      const second = follow.next();
      stop.abort();
      assert.equal((await second).done, true);
    });

    test('a follower behind a trim goes on at the first entry that is kept', async (log) => {
      await log.append(entries(0, 10));
      await log.trim(0, 7);
      const stop = new AbortController();
      const follow = log.follow(0, 0, stop.signal)[Symbol.asyncIterator]();
      assert.equal(((await follow.next()).value as { offset: number }).offset, 7);
      stop.abort();
      await follow.next();
    });

    test('a slow reader gets all of a long log and keeps nothing from being closed', async (log) => {
      await log.append(Array.from({ length: 3000 }, (_, i) => entry(0, `${i}`.padEnd(3000))));
      let count = 0;
      for await (const { offset } of log.read(0, 0)) {
        assert.equal(offset, count++);
        if (count % 500 === 0) await log.append([entry(0, 'meanwhile')]);
      }
      assert.equal(count, 3000);
      const half = log.read(0, 0)[Symbol.asyncIterator]();
      await half.next(); // and never again
    });

    test('a gateway keeps its partition', async (log, reopen) => {
      const gateways = Array.from({ length: 100 }, (_, i) => `truck-${i}`);
      const before = gateways.map((gateway) => log.partitionOf(gateway));
      log = await reopen();
      assert.deepEqual(
        gateways.map((gateway) => log.partitionOf(gateway)),
        before,
      );
      assert.equal(new Set(before).size, log.partitionCount, 'all are used');
    });

    it('any sequence of appends, trims and restarts gives what a list in memory gives', async function () {
      this.timeout(120_000);
      const step = fc.oneof(
        { weight: 6, arbitrary: fc.record({ append: fc.array(fc.nat({ max: 1 }), { maxLength: 6 }) }) },
        { weight: 2, arbitrary: fc.record({ trim: fc.nat({ max: 1 }), share: fc.nat({ max: 10 }) }) },
        { weight: 1, arbitrary: fc.constant({ reopen: true as const }) },
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
          await using folder = await tempFolder('log');
          let log = await open(folder.path);
          try {
            const model = [0, 1].map(() => ({ first: 0, all: [] as string[] }));
            for (const action of steps) {
              if ('append' in action) {
                const added = action.append.map((partition) =>
                  entry(partition, `${partition}-${model[partition].all.length}`),
                );
                // The texts of one append: each partition's count goes on within it.
                const texts = added.map(({ partition }) => {
                  const text = `${partition}-${model[partition].all.length}`;
                  model[partition].all.push(text);
                  return text;
                });
                const offsets = await log.append(
                  added.map((one, i) => ({ ...one, bytes: bytesOf(texts[i]) })),
                );
                assert.deepEqual(
                  offsets.map((offset, i) => `${added[i].partition}-${offset}`),
                  texts,
                );
              } else if ('trim' in action) {
                const state = model[action.trim];
                const offset = Math.floor((state.all.length * action.share) / 10);
                await log.trim(action.trim, offset);
                state.first = Math.max(state.first, offset);
              } else {
                await log[Symbol.asyncDispose]();
                log = await open(folder.path);
              }
              for (const [partition, { first, all: texts }] of model.entries()) {
                assert.deepEqual(log.ends()[partition], { partition, first, next: texts.length });
                assert.deepEqual(await textsIn(log, partition), texts.slice(first));
              }
            }
          } finally {
            await log[Symbol.asyncDispose]();
          }
        }),
        { numRuns: 25 },
      );
    });
  });
}

logContract('rocksdb', (path) => openLog({ path, partitions: 4, ...parts }));

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
    const open = (): Promise<Log> => openLog({ path: folder.path, ...parts });
    await using log = await open();
    await assert.rejects(open(), (error) => isFleetlogError(error, 'FLEETLOG_LOCKED'));
    assert.deepEqual(await log.append([entry(0, 'undisturbed')]), [0]);
  });

  it('the number of partitions stays what it was at the beginning', async () => {
    const open = (partitions?: number): Promise<Log> => openLog({ path: folder.path, partitions, ...parts });
    await (await open(3))[Symbol.asyncDispose]();
    await using log = await open();
    assert.equal(log.partitionCount, 3);
    await log[Symbol.asyncDispose]();
    await assert.rejects(open(5), (error) => isFleetlogError(error, 'FLEETLOG_CONFIG'));
  });

  it('a process that is killed loses nothing that it was told is durable, and no half append', async function () {
    this.timeout(120_000);
    for (let round = 0; round < 4; round++) {
      const child = fork(new URL('../support/log-child.js', import.meta.url), [folder.path], {
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
      await using log = await openLog({ path: folder.path, ...parts });
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
