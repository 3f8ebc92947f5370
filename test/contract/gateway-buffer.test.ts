import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { decodeBatch } from '@fleetlog/shared/batch';
import { FleetlogError, isFleetlogError } from '@fleetlog/shared/errors';
import { silentLogger } from '@fleetlog/shared/log';
import { openRocksDb } from '@fleetlog/shared/store';
import { RangeSet, systemClock } from '@fleetlog/shared/util';
import type { BufferedStream, GatewayBuffer } from '#gateway/buffer/buffer.js';
import { systemClockFacts } from '#gateway/buffer/clock-facts.js';
import { inspectBuffer } from '#gateway/buffer/inspect.js';
import { CheckedStore } from '#gateway/buffer/integrity/checked-store.js';
import { openBuffer } from '#gateway/buffer/open-buffer.js';
import { openBufferOn } from '#gateway/buffer/rocksdb-buffer.js';
import { bufferOptions } from '../support/buffer-options.js';
import { FaultyStore } from '../support/faulty-store.js';
import { sealedBatch } from '../support/sealed-batches.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

const stateOf = (buffer: GatewayBuffer, stream: string): BufferedStream =>
  buffer.streams().find((s) => s.stream === stream) ?? assert.fail(`no stream ${stream}`);

async function putMany(buffer: GatewayBuffer, stream: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const next = buffer.streams().find((s) => s.stream === stream)?.next ?? 0;
    await buffer.put(stream, sealedBatch(`${stream}-${next}`, { position: `behind ${next}` }));
  }
}

async function sequencesOf(buffer: GatewayBuffer, stream: string, from = 0, limit = 1e6): Promise<number[]> {
  return (await buffer.read(stream, from, limit)).map((batch) => batch.sequence);
}

/** Opens a faulty store below a buffer. */
async function openFaulty(
  path: string,
  changes: Parameters<typeof bufferOptions>[1] = {},
): Promise<{ store: FaultyStore; buffer: GatewayBuffer }> {
  const store = new FaultyStore(await openRocksDb({ path, purpose: 'buffer folder' }));
  return { store, buffer: await openBufferOn(store, bufferOptions(path, changes)) };
}

describe('gateway buffer', () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  let path: string;

  beforeEach(async () => {
    folder = await tempFolder('buffer');
    path = join(folder.path, 'buffer');
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  it('numbers the batches of each stream from 0 without holes, also over restarts', async () => {
    for (let life = 0; life < 3; life++) {
      await using buffer = await openBuffer(bufferOptions(path));
      await Promise.all([putMany(buffer, 'can0', 7), putMany(buffer, 'gps', 3)]);
    }
    await using buffer = await openBuffer(bufferOptions(path));
    assert.deepEqual(await sequencesOf(buffer, 'can0'), [...Array(21).keys()]);
    assert.deepEqual(await sequencesOf(buffer, 'gps'), [...Array(9).keys()]);
  });

  it('gives back each batch as it was put, with its header', async () => {
    await using buffer = await openBuffer(bufferOptions(path));
    const sealed = sealedBatch('x', { records: 4, bytes: 333 });
    await buffer.put('can0', sealed);
    await buffer.flush();
    const [batch] = await buffer.read('can0', 0, 1);
    const { header, payload } = decodeBatch(batch.bytes);
    assert.deepEqual(Buffer.from(payload), Buffer.from(sealed.payload.payload));
    assert.equal(header.gateway, 'truck-1');
    assert.equal(header.epoch, buffer.epoch);
    assert.equal(header.sequence, 0);
    assert.equal(header.recordCount, 4);
    assert.equal(header.origin, 'recording');
    assert.equal(header.clock.state, 'coarse');
    assert.ok(Math.abs(header.storeTimeUs - systemClock.nowUs()) < 60e6);
  });

  it('marks the clock as unset while the wall clock is before 2024', async () => {
    const clock = { ...systemClock, nowUs: () => 3600e6 };
    await using buffer = await openBuffer(bufferOptions(path, { clockFacts: systemClockFacts(clock) }));
    await buffer.put('can0', sealedBatch('x'));
    await buffer.flush();
    const [batch] = await buffer.read('can0', 0, 1);
    assert.equal(decodeBatch(batch.bytes).header.clock.state, 'unset');
  });

  it('keeps its epoch as long as its folder, and starts a new one in a new folder', async () => {
    const epochOf = async (): Promise<string> => {
      await using buffer = await openBuffer(bufferOptions(path));
      return buffer.epoch;
    };
    const first = await epochOf();
    assert.equal(await epochOf(), first);
    await rm(path, { recursive: true });
    assert.notEqual(await epochOf(), first);
  });

  it("refuses the folder of another gateway, and another process's folder", async () => {
    await using buffer = await openBuffer(bufferOptions(path));
    await assert.rejects(openBuffer(bufferOptions(path)), (e) => isFleetlogError(e, 'FLEETLOG_LOCKED'));
    await buffer[Symbol.asyncDispose]();
    await assert.rejects(
      openBuffer(bufferOptions(path, { gateway: 'truck-2' })),
      /belongs to the gateway "truck-1", not to "truck-2"/,
    );
  });

  it('refuses another kind of records in a stream', async () => {
    await using buffer = await openBuffer(bufferOptions(path));
    await buffer.put('s', sealedBatch('x', { kind: 'lines' }));
    await assert.rejects(buffer.put('s', sealedBatch('x', { kind: 'can' })), /holds lines/);
    assert.equal(stateOf(buffer, 's').next, 1);
  });

  it('gives out a batch only when it is durable', async () => {
    const { store, buffer } = await openFaulty(path);
    await using _ = buffer;
    const held = Promise.withResolvers<void>();
    store.holdSync = held.promise;
    const durable = buffer.moreDurable(AbortSignal.timeout(10_000));
    await buffer.put('can0', sealedBatch('x'));
    await until('the write', () => store.syncs > 1);
    assert.deepEqual(await sequencesOf(buffer, 'can0'), []);
    assert.equal(stateOf(buffer, 'can0').durableNext, 0);
    held.resolve();
    await durable;
    assert.deepEqual(await sequencesOf(buffer, 'can0'), [0]);
  });

  it('shares one sync barrier among all that comes within the commit interval', async () => {
    const { store, buffer } = await openFaulty(path, { commitIntervalMs: 100 });
    await using _ = buffer;
    const before = store.syncs;
    const durable = buffer.moreDurable(AbortSignal.timeout(10_000));
    await putMany(buffer, 'can0', 50);
    await durable;
    assert.equal(store.syncs - before, 1);
    assert.equal(stateOf(buffer, 'can0').durableNext, 50);
  });

  it('commits without waiting when much is queued', async () => {
    await using buffer = await openBuffer(
      bufferOptions(path, { commitIntervalMs: 60_000, commitBytes: 1000 }),
    );
    const durable = buffer.moreDurable(AbortSignal.timeout(10_000));
    await buffer.put('can0', sealedBatch('x', { bytes: 1000 }));
    await durable;
  });

  it('stores the position of the source with the batch: neither is there without the other', async () => {
    {
      const { store, buffer } = await openFaulty(path);
      await putMany(buffer, 'can0', 2);
      await buffer.flush();
      store.failWrite = new FleetlogError('FLEETLOG_STORE', 'gone');
      await buffer.put('can0', sealedBatch('lost', { position: 'behind the lost one' }));
      assert.equal(String(await buffer.position('can0')), 'behind the lost one');
      await buffer[Symbol.asyncDispose]();
    }
    await using buffer = await openBuffer(bufferOptions(path));
    assert.equal(stateOf(buffer, 'can0').next, 2);
    assert.equal(String(await buffer.position('can0')), 'behind 1');
    assert.equal(await buffer.position('never'), undefined);
  });

  it('forgets what is acknowledged, out of order too, and keeps the rest over a restart', async () => {
    const left = [4, 7, 8, 9, 13, 14, 15, 16, 17, 18, 19];
    {
      await using buffer = await openBuffer(bufferOptions(path));
      await putMany(buffer, 'can0', 20);
      await buffer.flush();
      const all = stateOf(buffer, 'can0').bytes;
      await buffer.acknowledge('can0', new RangeSet([[10, 12]]));
      assert.equal(stateOf(buffer, 'can0').first, 0);
      await buffer.acknowledge(
        'can0',
        new RangeSet([
          [0, 3],
          [5, 6],
          [10, 12],
        ]),
      );
      assert.deepEqual(await sequencesOf(buffer, 'can0'), left);
      const state = stateOf(buffer, 'can0');
      assert.deepEqual(
        { first: state.first, batches: state.batches, records: state.records },
        { first: 4, batches: 11, records: 110 },
      );
      const held = (await buffer.read('can0', 0, 100)).reduce((sum, batch) => sum + batch.bytes.length, 0);
      assert.equal(state.bytes, held);
      assert.ok(held < all);
    }
    await using buffer = await openBuffer(bufferOptions(path));
    assert.deepEqual(await sequencesOf(buffer, 'can0'), left);
    await buffer.acknowledge('can0', new RangeSet([[0, 19]]));
    assert.equal(stateOf(buffer, 'can0').bytes, 0);
    assert.equal(stateOf(buffer, 'can0').records, 0);
    assert.equal(stateOf(buffer, 'can0').first, 20);
  });

  it('removes from the disk what is acknowledged', async () => {
    {
      await using buffer = await openBuffer(bufferOptions(path));
      await putMany(buffer, 'can0', 10);
      await buffer.flush();
      await buffer.acknowledge('can0', new RangeSet([[0, 8]]));
    }
    await using store = await openRocksDb({ path, purpose: 'buffer folder' });
    const batches: string[] = [];
    for await (const { key } of store.entries({ gte: Buffer.from('b\0'), lt: Buffer.from('c') })) {
      batches.push(Buffer.from(key).toString('hex').slice(-2));
    }
    assert.deepEqual(batches, ['09']);
  });

  it("ignores acknowledgements of what isn't durable here, and of unknown streams", async () => {
    await using buffer = await openBuffer(bufferOptions(path));
    await putMany(buffer, 'can0', 3);
    await buffer.flush();
    await buffer.acknowledge('can0', new RangeSet([[2, 500]]));
    await buffer.acknowledge('other', new RangeSet([[0, 5]]));
    await putMany(buffer, 'can0', 1);
    await buffer.flush();
    assert.deepEqual(await sequencesOf(buffer, 'can0'), [0, 1, 3]);
  });

  it('moves a refused batch aside, with the reason, and counts it', async () => {
    {
      await using buffer = await openBuffer(bufferOptions(path));
      await putMany(buffer, 'can0', 3);
      await buffer.flush();
      await buffer.refuse('can0', 1, 'FLEETLOG_BATCH_VERSION: too new');
      await buffer.refuse('can0', 1, 'again');
      assert.deepEqual(await sequencesOf(buffer, 'can0'), [0, 2]);
      assert.equal(stateOf(buffer, 'can0').refused, 1);
    }
    {
      await using buffer = await openBuffer(bufferOptions(path));
      assert.equal(stateOf(buffer, 'can0').refused, 1);
    }
    await using store = new CheckedStore(await openRocksDb({ path, purpose: 'buffer folder' }));
    for await (const { value } of store.entries({ gte: Buffer.from('r\0'), lt: Buffer.from('s') })) {
      const kept = JSON.parse(Buffer.from(value).toString()) as { reason: string; batch: string };
      assert.equal(kept.reason, 'FLEETLOG_BATCH_VERSION: too new');
      assert.equal(decodeBatch(Buffer.from(kept.batch, 'base64')).header.sequence, 1);
      return;
    }
    assert.fail('the refused batch is gone');
  });

  it('makes sources wait while too much is not yet durable', async () => {
    const { store, buffer } = await openFaulty(path, { queueBytes: 10_000 });
    await using _ = buffer;
    const held = Promise.withResolvers<void>();
    store.holdSync = held.promise;
    let accepted = 0;
    const putting = (async () => {
      for (; accepted < 40; accepted++) await buffer.put('can0', sealedBatch('x', { bytes: 1000 }));
    })();
    await until('a full queue', () => stateOf(buffer, 'can0').next > 8);
    for (let i = 0; i < 100; i++) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(accepted <= 10, `${accepted} accepted`);
    held.resolve();
    store.holdSync = undefined;
    await putting;
    await buffer.flush();
    assert.equal(stateOf(buffer, 'can0').durableNext, 40);
  });

  for (const fault of ['failWrite', 'failSync'] as const) {
    it(`loses nothing and acknowledges nothing while the disk fails (${fault}), and recovers`, async () => {
      const { store, buffer } = await openFaulty(path);
      await using _ = buffer;
      await putMany(buffer, 'can0', 2);
      await buffer.flush();
      store[fault] = new FleetlogError(
        fault === 'failSync' ? 'FLEETLOG_SYNC' : 'FLEETLOG_STORE_FULL',
        'No space left.',
      );
      const before = store.writes;
      await putMany(buffer, 'can0', 3);
      await until('a second attempt', () => store.writes >= before + 2);
      assert.equal(stateOf(buffer, 'can0').durableNext, 2);
      assert.deepEqual(await sequencesOf(buffer, 'can0'), [0, 1]);
      store[fault] = undefined;
      await buffer.flush();
      assert.deepEqual(await sequencesOf(buffer, 'can0'), [0, 1, 2, 3, 4]);
    });
  }

  it("gives out the others where a batch doesn't read back, and a gap record in its place", async () => {
    const complaints: object[] = [];
    const logger = { ...silentLogger, error: (facts: object) => complaints.push(facts) };
    const { store, buffer } = await openFaulty(path, { logger });
    await using _ = buffer;
    await putMany(buffer, 'can0', 5);
    await buffer.flush();
    store.failRead = (key) => key.at(-1) === 2 && key[0] === 'b'.charCodeAt(0);
    assert.deepEqual(await sequencesOf(buffer, 'can0'), [0, 1]);
    assert.deepEqual(await sequencesOf(buffer, 'can0', 3), [3, 4]);
    const [gap] = await buffer.read('can0', 2, 1);
    const { header } = decodeBatch(gap.bytes);
    assert.deepEqual(
      [header.sequence, header.lastSequence, header.codec, header.recordCount],
      [2, 2, 'gap-1', 10],
    );
    assert.deepEqual(complaints[0], { stream: 'can0', first: 2, last: 2, records: 10 });
    await buffer.acknowledge('can0', new RangeSet([[0, 2]]));
    assert.equal(stateOf(buffer, 'can0').first, 3);
  });

  it('ends in time although the disk takes nothing, and says so', async () => {
    const complaints: string[] = [];
    const logger = {
      ...silentLogger,
      error: (_: object, message: string) => complaints.push(message),
    };
    const { store, buffer } = await openFaulty(path, { logger });
    store.failWrite = new FleetlogError('FLEETLOG_STORE_FULL', 'No space left.');
    await buffer.put('can0', sealedBatch('x'));
    const flushing = assert.rejects(buffer.flush(), /No space left/);
    await buffer[Symbol.asyncDispose]();
    await flushing;
    assert.match(complaints.at(-1) ?? '', /weren't made durable/);
  });

  it('is closed once, and then refuses work with an error', async () => {
    const buffer = await openBuffer(bufferOptions(path));
    await Promise.all([buffer[Symbol.asyncDispose](), buffer[Symbol.asyncDispose]()]);
    await assert.rejects(buffer.put('can0', sealedBatch('x')), (e) =>
      isFleetlogError(e, 'FLEETLOG_INTERRUPTED'),
    );
  });

  it('says what it holds of each stream, with the time span', async () => {
    await using buffer = await openBuffer(bufferOptions(path));
    for (let i = 0; i < 5; i++) await buffer.put('can0', sealedBatch('x', { timeUs: 1e15 + i * 1e6 }));
    await buffer.flush();
    await buffer.acknowledge('can0', new RangeSet([[0, 1]]));
    const [report] = await inspectBuffer(buffer);
    assert.equal(report.firstTimeUs, 1e15 + 2e6);
    assert.equal(report.lastTimeUs, 1e15 + 4e6 + 1000);
    assert.equal(report.batches, 3);
  });

  it('holds everything that it reported durable before it was killed', async function () {
    this.timeout(120_000);
    for (let round = 0; round < 3; round++) {
      const child = fork(join(import.meta.dirname, '../support/buffer-child.js'), [path], {
        stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      });
      const reported = new Map<string, number>();
      let lines = 0;
      for await (const line of createInterface({ input: child.stdout ?? assert.fail() })) {
        const [stream, durableNext] = line.split(' ');
        reported.set(stream, Number(durableNext));
        if (++lines === 40) child.kill('SIGKILL');
      }
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      assert.equal(child.signalCode, 'SIGKILL');
      await using buffer = await openBuffer(bufferOptions(path));
      for (const stream of ['can0', 'gps']) {
        const { next } = stateOf(buffer, stream);
        assert.ok(next >= (reported.get(stream) ?? Infinity), `${stream}: ${next} < ${reported.get(stream)}`);
        const sequences = await sequencesOf(buffer, stream);
        assert.deepEqual(sequences, [...Array(next).keys()]);
        assert.equal(String(await buffer.position(stream)), `behind ${next - 1}`);
        const [last] = await buffer.read(stream, next - 1, 1);
        assert.match(
          Buffer.from(decodeBatch(last.bytes).payload).toString(),
          new RegExp(`^${stream}-${next - 1};`),
        );
      }
    }
  });
});
