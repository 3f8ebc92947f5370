import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import {
  integerPart,
  openRocksDb,
  type OrderedStore,
  type StoreEntry,
  type StoreOperation,
} from '@fleetlog/shared/store';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

type Open = (path: string) => Promise<OrderedStore>;

const key = (text: string): Buffer => Buffer.from(text);
const put = (name: string, value = `value of ${name}`): StoreOperation => ({
  type: 'put',
  key: key(name),
  value: Buffer.from(value),
});
const all = { gte: Buffer.alloc(0), lt: Buffer.alloc(9, 0xff) };

async function collect(entries: AsyncIterable<StoreEntry>): Promise<[string, string][]> {
  const list: [string, string][] = [];
  for await (const entry of entries) {
    list.push([Buffer.from(entry.key).toString('latin1'), Buffer.from(entry.value).toString('latin1')]);
  }
  return list;
}
const keysOf = async (entries: AsyncIterable<StoreEntry>): Promise<string[]> =>
  (await collect(entries)).map(([name]) => name);

/** What every ordered store must do. */
function orderedStoreContract(name: string, open: Open): void {
  describe(`ordered store: ${name}`, () => {
    const test = (title: string, body: (store: OrderedStore, path: string) => Promise<void>): void => {
      it(title, async () => {
        await using folder = await tempFolder('store');
        await using store = await open(folder.path);
        await body(store, folder.path);
      });
    };

    test('what was written is read; what was not is undefined', async (store) => {
      await store.write([
        put('a'),
        put('b', ''),
        { type: 'put', key: Buffer.of(0, 255), value: Buffer.of(0, 1, 255) },
      ]);
      assert.equal(String(await store.get(key('a'))), 'value of a');
      assert.equal((await store.get(key('b')))?.length, 0);
      assert.deepEqual([...((await store.get(Buffer.of(0, 255))) ?? [])], [0, 1, 255]);
      assert.equal(await store.get(key('c')), undefined);
      assert.equal(await store.get(key('')), undefined);
    });

    test('several reads come in the order asked for', async (store) => {
      await store.write([put('a'), put('b')]);
      const values = await store.getMany(['b', 'x', 'a', 'b'].map(key));
      assert.deepEqual(
        values.map((value) => value && String(value)),
        ['value of b', undefined, 'value of a', 'value of b'],
      );
      assert.deepEqual(await store.getMany([]), []);
    });

    test('operations of one write count in their order', async (store) => {
      await store.write([put('a', '1'), put('a', '2'), put('b'), { type: 'delete', key: key('b') }]);
      await store.write([{ type: 'delete-range', gte: key('a'), lt: key('z') }, put('c')]);
      await store.write([]);
      assert.deepEqual(await collect(store.entries(all)), [['c', 'value of c']]);
    });

    test('a range is removed from its first key up to and without its last', async (store) => {
      await store.write(['a', 'b', 'bb', 'c', 'd'].map((n) => put(n)));
      await store.write([{ type: 'delete-range', gte: key('b'), lt: key('c') }]);
      await store.write([{ type: 'delete-range', gte: key('x'), lt: key('x') }]);
      assert.deepEqual(await keysOf(store.entries(all)), ['a', 'c', 'd']);
      assert.equal(await store.get(key('bb')), undefined);
    });

    test('entries come in bytewise order, within their range, forth and back, however they are fetched', async (store) => {
      const names = ['a', 'a\0', 'aa', 'b', '\x7f', '\x80', '\xff', '\xff\xff'];
      await store.write(
        [...names].reverse().map((n) => ({ type: 'put', key: Buffer.from(n, 'latin1'), value: key(n) })),
      );
      for (const prefetch of [1, 2, 1000]) {
        assert.deepEqual(await keysOf(store.entries(all, { prefetch })), names);
        assert.deepEqual(await keysOf(store.entries(all, { prefetch, reverse: true })), [...names].reverse());
        const range = { gte: key('a\0'), lt: Buffer.of(0x80) };
        assert.deepEqual(await keysOf(store.entries(range, { prefetch })), ['a\0', 'aa', 'b', '\x7f']);
        assert.deepEqual(await keysOf(store.entries(range, { prefetch, limit: 2 })), ['a\0', 'aa']);
        assert.deepEqual(await keysOf(store.entries(range, { prefetch, limit: 2, reverse: true })), [
          '\x7f',
          'b',
        ]);
      }
      assert.deepEqual(await keysOf(store.entries({ gte: key('x'), lt: key('y') })), []);
    });

    test('keys alone come with empty values', async (store) => {
      await store.write([put('a')]);
      assert.deepEqual(await collect(store.entries(all, { keysOnly: true })), [['a', '']]);
    });

    test('what comes out belongs to the caller: later writes and reads leave it alone', async (store) => {
      await store.write([put('a', 'first'), put('b', 'other')]);
      const value = await store.get(key('a'));
      const entries: StoreEntry[] = [];
      for await (const entry of store.entries(all, { prefetch: 1 })) entries.push(entry);
      await store.write([put('a', 'again'), put('b', 'again')]);
      await store.get(key('a'));
      await collect(store.entries(all));
      assert.equal(String(value), 'first');
      assert.deepEqual(
        entries.map((entry) => String(Buffer.from(entry.value))),
        ['first', 'other'],
      );
    });

    test('a consumer may stop early', async (store) => {
      await store.write(Array.from({ length: 500 }, (_, i) => put(`key ${1000 + i}`)));
      for await (const entry of store.entries(all)) {
        assert.equal(String(Buffer.from(entry.key)), 'key 1000');
        break;
      }
      assert.equal((await collect(store.entries(all))).length, 500);
    });

    test('close waits for nobody who reads; the reader is told', async (store) => {
      await store.write(Array.from({ length: 500 }, (_, i) => put(`key ${1000 + i}`)));
      const reader = store.entries(all, { prefetch: 10 })[Symbol.asyncIterator]();
      await reader.next();
      await store.close();
      await assert.rejects(reader.next(), { code: 'FLEETLOG_INTERRUPTED' });
    });

    test('after close everything is refused, and a second close is fine', async (store) => {
      await Promise.all([store.close(), store.close()]);
      await store.close();
      const refused = { code: 'FLEETLOG_INTERRUPTED' };
      await assert.rejects(store.get(key('a')), refused);
      await assert.rejects(store.getMany([key('a')]), refused);
      await assert.rejects(store.write([put('a')]), refused);
      await assert.rejects(store.sync(), refused);
      await assert.rejects(store.diskBytes(), refused);
      await assert.rejects(collect(store.entries(all)), refused);
    });

    test('the next life finds everything, synced or not', async (store, path) => {
      await store.write([put('a')]);
      await store.sync();
      await store.write([put('b'), { type: 'delete', key: key('a') }]);
      await store.close();
      await using again = await open(path);
      assert.deepEqual(await keysOf(again.entries(all)), ['b']);
    });

    test('writes and syncs may come all at once', async (store) => {
      const value = 'x'.repeat(4000);
      await Promise.all(
        Array.from({ length: 200 }, async (_, i) => {
          await store.write([put(`key ${1000 + i}`, value)]);
          await store.sync();
        }),
      );
      assert.equal((await keysOf(store.entries(all))).length, 200);
    });

    test('large values come out whole', async (store) => {
      const large = Buffer.alloc(4 * 1024 * 1024, 'abc');
      await store.write([{ type: 'put', key: key('large'), value: large }]);
      assert.equal(Buffer.compare((await store.get(key('large'))) ?? Buffer.alloc(0), large), 0);
    });

    test('disk bytes grow with what is kept', async (store) => {
      const before = await store.diskBytes();
      for (let n = 0; n < 40; n++) {
        await store.write(Array.from({ length: 10 }, (_, i) => put(`key ${n} ${i}`, 'x'.repeat(10_000))));
      }
      await until('4 MB are counted', async () => (await store.diskBytes()) - before > 3_000_000);
    });

    it('behaves as a sorted map does, through restarts', async () => {
      const name = fc
        .constantFrom('', '\0', 'a', 'a\0', 'aa', 'ab', 'b', '\xff', '\xff\xff')
        .map((n) => Buffer.from(n, 'latin1'));
      const operation: fc.Arbitrary<StoreOperation> = fc.oneof(
        fc.record({ type: fc.constant('put' as const), key: name, value: fc.uint8Array({ maxLength: 40 }) }),
        fc.record({ type: fc.constant('delete' as const), key: name }),
        fc
          .tuple(name, name)
          .map(([a, b]) => (Buffer.compare(a, b) <= 0 ? [a, b] : [b, a]))
          .map(([gte, lt]) => ({ type: 'delete-range' as const, gte, lt })),
      );
      const step = fc.oneof(
        { weight: 8, arbitrary: fc.array(operation, { maxLength: 6 }) },
        { weight: 1, arbitrary: fc.constantFrom('sync' as const, 'restart' as const) },
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
          await using folder = await tempFolder('store-model');
          let store = await open(folder.path);
          const model = new Map<string, string>();
          for (const one of steps) {
            if (one === 'sync') await store.sync();
            else if (one === 'restart') {
              await store.close();
              store = await open(folder.path);
            } else {
              await store.write(one);
              one.forEach((change) => applyTo(model, change));
            }
          }
          const expected = [...model].sort(([a], [b]) => (a < b ? -1 : 1));
          const found = await collect(store.entries(all));
          await store.close();
          assert.deepEqual(found, expected);
        }),
        { numRuns: 25 },
      );
    });
  });
}

function applyTo(model: Map<string, string>, change: StoreOperation): void {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
  if (change.type === 'put') model.set(text(change.key), text(change.value));
  else if (change.type === 'delete') model.delete(text(change.key));
  else
    for (const name of model.keys())
      if (name >= text(change.gte) && name < text(change.lt)) model.delete(name);
}

const openDefault: Open = (path) => openRocksDb({ path, purpose: 'test folder' });
/** Rolls its write-ahead log over every few writes. */
const openTiny: Open = (path) => openRocksDb({ path, purpose: 'test folder', writeBufferBytes: 64 * 1024 });

orderedStoreContract('RocksDB', openDefault);
orderedStoreContract('RocksDB with a tiny write buffer and blob files', (path) =>
  openRocksDb({
    path,
    purpose: 'test folder',
    writeBufferBytes: 64 * 1024,
    blobs: { bytesMin: 1024, fileBytes: 256 * 1024 * 1024 },
    openFilesMax: 16,
  }),
);

describe('RocksDB store: one owner', () => {
  it('a folder that is open is refused with a sentence, in this process and in another', async () => {
    await using folder = await tempFolder('store-lock');
    await using store = await openDefault(folder.path);
    await assert.rejects(openDefault(folder.path), {
      code: 'FLEETLOG_LOCKED',
      message: /^The test folder .* is in use/,
    });
    const script = `
      import { openRocksDb } from '@fleetlog/shared/store';
      const code = await openRocksDb({ path: ${JSON.stringify(folder.path)}, purpose: 'x' }).then(() => 'opened', (e) => e.code);
      process.stdout.write(code);
      process.exit();`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script]);
    assert.equal(stdout, 'FLEETLOG_LOCKED');
    await store.close();
    await using again = await openDefault(folder.path);
    assert.equal(await again.get(key('a')), undefined);
  });

  it('a path that is no folder is a sentence about the configuration', async () => {
    await using folder = await tempFolder('store-path');
    const path = join(folder.path, 'file');
    await writeFile(path, '');
    await assert.rejects(openDefault(path), { code: 'FLEETLOG_CONFIG' });
    await assert.rejects(openDefault(join(path, 'below')), { code: 'FLEETLOG_CONFIG' });
  });

  it("a damaged folder doesn't open, and says so", async () => {
    await using folder = await tempFolder('store-damage');
    await (await openDefault(folder.path)).close();
    await writeFile(join(folder.path, 'CURRENT'), 'no manifest\n');
    await assert.rejects(openDefault(folder.path), { code: 'FLEETLOG_STORE' });
  });

  it('restarts leave no heap of info logs', async () => {
    await using folder = await tempFolder('store-logs');
    for (let i = 0; i < 5; i++) await (await openDefault(folder.path)).close();
    const old = (await readdir(folder.path)).filter((name) => name.startsWith('LOG.old.'));
    assert.ok(old.length <= 1, old.join(' '));
  });
});

describe('RocksDB store: the sync barrier', () => {
  const logsOf = async (path: string): Promise<number[]> =>
    (await readdir(path))
      .filter((name) => /^\d+\.log$/.test(name))
      .map((name) => Number.parseInt(name, 10))
      .sort((a, b) => a - b);
  const logName = (number: number): string => `${String(number).padStart(6, '0')}.log`;
  /** A log that can't be opened (ELOOP): a sync that tries it fails, one that leaves it out doesn't notice. */
  const unreadableLog = async (path: string, number: number): Promise<string> => {
    const file = join(path, logName(number));
    await symlink(logName(number), file);
    assert.equal(await readlink(file), logName(number));
    return file;
  };
  let written = 0;
  const write = (store: OrderedStore, kilobytes: number): Promise<void> =>
    store.write([
      { type: 'put', key: integerPart(written++), value: Buffer.alloc(kilobytes * 1024, written) },
    ]);
  /** Writes until the log was replaced; returns the number of the new one. */
  const rollOver = async (store: OrderedStore, path: string): Promise<number> => {
    const before = (await logsOf(path)).at(-1) ?? 0;
    for (;;) {
      await write(store, 20);
      const now = (await logsOf(path)).at(-1) ?? 0;
      if (now > before) return now;
    }
  };

  it('covers each log since the last sync, however often it rolled over', async () => {
    await using folder = await tempFolder('store-wal');
    await using store = await openTiny(folder.path);
    await write(store, 1);
    await store.sync();
    const synced = (await logsOf(folder.path)).at(-1) ?? 0;
    let last = 0;
    for (let i = 0; i < 3; i++) last = await rollOver(store, folder.path);
    assert.ok(last > synced + 2, `log ${synced} became log ${last}`);
    const taken = new Set(await logsOf(folder.path));
    const between = Array.from({ length: last - synced - 1 }, (_, i) => synced + 1 + i).filter(
      (n) => !taken.has(n),
    );
    for (const number of [between[0], between.at(-1) ?? 0]) {
      const file = await unreadableLog(folder.path, number);
      await assert.rejects(store.sync(), { code: 'FLEETLOG_SYNC', retryable: true });
      await rm(file);
    }
    await store.sync();
  });

  it('leaves out logs that an earlier sync covered', async () => {
    await using folder = await tempFolder('store-wal-old');
    await using store = await openTiny(folder.path);
    for (let i = 0; i < 3; i++) await rollOver(store, folder.path);
    await store.sync();
    const file = await unreadableLog(folder.path, 1);
    await rollOver(store, folder.path);
    await store.sync();
    await rm(file);
  });

  it('after a failed sync the next one writes memory to tables first, so that nothing rests on the log that failed', async () => {
    await using folder = await tempFolder('store-sync-failure');
    const store = await openDefault(folder.path);
    await store.write([put('before')]);
    for (const log of await logsOf(folder.path)) await rm(join(folder.path, logName(log)));
    await assert.rejects(store.sync(), { code: 'FLEETLOG_SYNC' });
    await store.write([put('after')]); // goes to the log that is gone
    await store.sync();
    const tables = (await readdir(folder.path)).filter((name) => name.endsWith('.sst'));
    assert.equal(tables.length, 1);
    await store.write([put('later')]);
    await store.sync();
    await store.close();
    await using again = await openDefault(folder.path);
    assert.deepEqual(await keysOf(again.entries(all)), ['after', 'before', 'later']);
  });

  it('a sync that keeps failing keeps saying so', async () => {
    await using folder = await tempFolder('store-sync-failures');
    await using store = await openTiny(folder.path);
    await store.write([put('a')]);
    await store.sync();
    await rollOver(store, folder.path);
    const synced = (await logsOf(folder.path))[0];
    const last = await rollOver(store, folder.path);
    const taken = new Set(await logsOf(folder.path));
    const number =
      Array.from({ length: last - synced }, (_, i) => synced + i).find((n) => !taken.has(n)) ?? 0;
    const file = await unreadableLog(folder.path, number);
    for (let i = 0; i < 3; i++) await assert.rejects(store.sync(), { code: 'FLEETLOG_SYNC' });
    await rm(file);
    await store.sync();
  });
});
