import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Log, LogAppend } from '#cloud/log/log.js';
import { all } from '../support/collect.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

/** One implementation of the log, and what it promises beyond the contract. */
export interface LogKind {
  name: string;
  /** Opens the log of this folder, new or again; at least 2 partitions. */
  open: (path: string) => Promise<Log>;
  /** Whether offsets begin at 0 and have no holes. */
  isDense: boolean;
  /** Sequences of commands that the model is compared on. */
  modelRuns: number;
}

export const bytesOf = (text: string): Uint8Array => Buffer.from(text);
export const textOf = ({ bytes }: { bytes: Uint8Array }): string => Buffer.from(bytes).toString();
export const entry = (partition: number, text: string, receiveTimeUs = 1_000_000): LogAppend => ({
  partition,
  receiveTimeUs,
  bytes: bytesOf(text),
});
const entries = (partition: number, count: number, from = 0): LogAppend[] =>
  Array.from({ length: count }, (_, i) => entry(partition, `${partition}-${from + i}`, 1_000_000 + from + i));

export async function textsIn(log: Log, partition: number, offset = 0, limit = Infinity): Promise<string[]> {
  return (await all(log.read(partition, offset, { limit }))).map(textOf);
}

const numbers = (count: number, from = 0): number[] => Array.from({ length: count }, (_, i) => from + i);
const firstAndNext = (log: Log, partition: number): [number, number] => {
  const { first, next } = log.ends()[partition];
  return [first, next];
};

/** What every log must do. */
export function logContract({ name, open, isDense, modelRuns }: LogKind): void {
  describe(`log: ${name}`, function () {
    this.timeout(120_000);

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
      const [a, b, c] = await log.append([entry(1, 'a'), entry(0, 'b'), entry(1, 'c')]);
      const [d] = await log.append([entry(1, 'd')]);
      assert.ok(a < c && c < d, `${a}, ${c}, ${d}`);
      assert.deepEqual(await textsIn(log, 1), ['a', 'c', 'd']);
      assert.deepEqual(await textsIn(log, 0), ['b']);
      assert.equal(log.ends()[0].next, b + 1);
      assert.equal(log.ends()[1].next, d + 1);
      if (isDense) assert.deepEqual([a, b, c, d], [0, 0, 1, 2]);
    });

    test('appends that overlap get disjoint offsets', async (log) => {
      const given = await Promise.all(numbers(50).map((i) => log.append(entries(0, 3, 3 * i))));
      const offsets = given.flat();
      assert.ok(offsets.every((offset, i) => i === 0 || offset > offsets[i - 1]));
      if (isDense) assert.deepEqual(offsets, numbers(150));
      assert.deepEqual(await textsIn(log, 0), entries(0, 150).map(textOf));
    });

    test('what was appended is there after a restart, and offsets go on', async (log, reopen) => {
      const before = await log.append(entries(0, 5));
      const ends = firstAndNext(log, 0);
      log = await reopen();
      assert.deepEqual(firstAndNext(log, 0), ends);
      assert.deepEqual(await textsIn(log, 0), ['0-0', '0-1', '0-2', '0-3', '0-4']);
      const [after] = await log.append([entry(0, 'x')]);
      assert.ok(after > before[4]);
    });

    test('offsets are never given twice, also after a trim of everything and a restart', async (log, reopen) => {
      const before = await log.append(entries(0, 5));
      const end = before[4] + 1;
      await log.trim(0, end);
      assert.deepEqual(await textsIn(log, 0), []);
      assert.deepEqual(firstAndNext(log, 0), [end, end]);
      log = await reopen();
      assert.deepEqual(firstAndNext(log, 0), [end, end]);
      const [after] = await log.append([entry(0, 'x')]);
      assert.ok(after >= end, `${after} after ${end}`);
      log = await reopen();
      assert.deepEqual(await textsIn(log, 0), ['x']);
    });

    test('a trim forgets what is before its offset, and nothing else', async (log, reopen) => {
      const offsets = await log.append([...entries(0, 10), ...entries(1, 10)]);
      const [of0, of1] = [offsets.slice(0, 10), offsets.slice(10)];
      await log.trim(0, of0[4]);
      await log.trim(0, of0[2]); // goes nowhere
      await log.trim(1, of1[9] + 90); // not beyond the end
      log = await reopen();
      assert.deepEqual(firstAndNext(log, 0), [of0[4], of0[9] + 1]);
      assert.deepEqual(firstAndNext(log, 1), [of1[9] + 1, of1[9] + 1]);
      assert.deepEqual(await textsIn(log, 0, 0, 2), ['0-4', '0-5']);
      assert.deepEqual(
        (await log.get(0, [of0[3], of0[4], of0[9], of0[9] + 1])).map((found) => found && textOf(found)),
        [undefined, '0-4', '0-9', undefined],
      );
    });

    test('single entries are found by offset, in the order asked for', async (log, reopen) => {
      const offsets: number[] = [];
      for (let round = 0; round < 10; round++) offsets.push(...(await log.append(entries(0, 7, 7 * round))));
      log = await reopen();
      const wanted = [69, 3, 3, 40, 0, 12].map((i) => offsets[i]);
      assert.deepEqual(
        (await log.get(0, wanted)).map((found) => [found?.offset, found && textOf(found)]),
        [69, 3, 3, 40, 0, 12].map((i) => [offsets[i], `0-${i}`]),
      );
    });

    test('reads begin at the offset, keep to the limit and end where the log ended', async (log) => {
      const offsets = await log.append(entries(0, 300));
      assert.deepEqual(await textsIn(log, 0, offsets[298]), ['0-298', '0-299']);
      assert.deepEqual((await textsIn(log, 0, offsets[100], 150)).at(-1), '0-249');
      assert.deepEqual(await textsIn(log, 0, offsets[299] + 1), []);
      assert.deepEqual(await textsIn(log, 0, offsets[299] + 4701), []);
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
      const offsets = await log.append(times.map((time) => entry(0, String(time), time)));
      const read = await all(log.read(0, 0));
      assert.deepEqual(
        read.map(({ receiveTimeUs }) => receiveTimeUs),
        [1000, 3000, 3000, 3000, 5000],
      );
      log = await reopen();
      offsets.push(...(await log.append([entry(0, 'clock stepped back', 10)])));
      offsets.push(offsets[5] + 1);
      for (const [time, index] of [
        [0, 0],
        [1000, 0],
        [1001, 1],
        [3000, 1],
        [3001, 4],
        [5000, 4],
        [5001, 6],
      ]) {
        assert.equal(await log.offsetAt(0, time), offsets[index], `at ${time}`);
      }
      await log.trim(0, offsets[3]);
      assert.equal(await log.offsetAt(0, 0), offsets[3]);
      assert.equal(await log.offsetAt(1, 0), log.ends()[1].next, 'an empty partition');
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
      assert.equal(String(Buffer.from((await log.note('hello')) ?? [])), 'ü');
      assert.equal(await log.note('hel'), undefined);
    });

    test('hundreds of notes are listed once each', async (log) => {
      const keys = numbers(700).map((i) => `n/${String(i).padStart(4, '0')}`);
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
      const offsets = await log.append(entries(0, 500));
      const stop = new AbortController();
      const followed: string[] = [];
      const following = (async () => {
        for await (const one of log.follow(0, offsets[3], stop.signal)) followed.push(textOf(one));
      })();
      for (let round = 0; round < 40; round++) {
        await log.append([...entries(0, 25, 500 + 25 * round), ...entries(1, 5)]);
        if (round === 30) await log.trim(0, offsets[3]);
      }
      await until('all is followed', () => followed.length >= 1497, 60_000);
      stop.abort();
      await following;
      assert.deepEqual(followed, entries(0, 1497, 3).map(textOf));
    });

    test('a follower that is far behind after a restart misses nothing', async (log, reopen) => {
      const offsets = await log.append(entries(0, 1000));
      log = await reopen();
      const stop = new AbortController();
      const followed: number[] = [];
      for await (const { offset } of log.follow(0, 0, stop.signal)) {
        followed.push(offset);
        if (offset === offsets[999]) stop.abort();
      }
      assert.deepEqual(followed, offsets);
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
      const offsets = await log.append(entries(0, 10));
      await log.trim(0, offsets[7]);
      const stop = new AbortController();
      const follow = log.follow(0, 0, stop.signal)[Symbol.asyncIterator]();
      assert.equal(((await follow.next()).value as { offset: number }).offset, offsets[7]);
      stop.abort();
      await follow.next();
    });

    test('a slow reader gets all of a long log and keeps nothing from being closed', async (log) => {
      const offsets = await log.append(numbers(3000).map((i) => entry(0, `${i}`.padEnd(3000))));
      let count = 0;
      for await (const { offset } of log.read(0, 0)) {
        assert.equal(offset, offsets[count++]);
        if (count % 500 === 0) await log.append([entry(0, 'meanwhile')]);
      }
      assert.equal(count, 3000);
      const half = log.read(0, 0)[Symbol.asyncIterator]();
      await half.next(); // and never again
    });

    test('a gateway keeps its partition', async (log, reopen) => {
      const gateways = numbers(100).map((i) => `truck-${i}`);
      const before = gateways.map((gateway) => log.partitionOf(gateway));
      log = await reopen();
      assert.deepEqual(
        gateways.map((gateway) => log.partitionOf(gateway)),
        before,
      );
      assert.equal(new Set(before).size, log.partitionCount, 'all are used');
    });

    it('any sequence of appends, trims and restarts gives what a list in memory gives', async () => {
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
            const model = [0, 1].map(() => ({ kept: 0, all: [] as { text: string; offset: number }[] }));
            for (const action of steps) {
              if ('append' in action) {
                const texts = action.append.map(
                  (partition, i) => `${partition}: ${i} of ${log.ends()[partition].next}`,
                );
                const offsets = await log.append(
                  action.append.map((partition, i) => entry(partition, texts[i])),
                );
                for (const [i, partition] of action.append.entries()) {
                  const { all: known } = model[partition];
                  assert.ok(offsets[i] > (known.at(-1)?.offset ?? -1));
                  if (isDense) assert.equal(offsets[i], known.length);
                  known.push({ text: texts[i], offset: offsets[i] });
                }
              } else if ('trim' in action) {
                const state = model[action.trim];
                const count = Math.floor((state.all.length * action.share) / 10);
                await log.trim(action.trim, count === 0 ? 0 : state.all[count - 1].offset + 1);
                state.kept = Math.max(state.kept, count);
              } else {
                await log[Symbol.asyncDispose]();
                log = await open(folder.path);
              }
              for (const [partition, { kept, all: known }] of model.entries()) {
                assert.deepEqual(
                  (await all(log.read(partition, 0))).map((one) => ({
                    text: textOf(one),
                    offset: one.offset,
                  })),
                  known.slice(kept),
                );
                const { first, next } = log.ends()[partition];
                assert.equal(next, known.length === 0 ? first : known[known.length - 1].offset + 1);
                if (kept > 0) assert.equal(first, known[kept - 1].offset + 1);
              }
            }
          } finally {
            await log[Symbol.asyncDispose]();
          }
        }),
        { numRuns: modelRuns },
      );
    });
  });
}
