import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { openRocksDb, readInteger } from '@fleetlog/shared/store';
import { RangeSet } from '@fleetlog/shared/util';
import type { BufferedStream, GatewayBuffer } from '#gateway/buffer/buffer.js';
import { openBuffer } from '#gateway/buffer/open-buffer.js';
import { refusedKeptMax } from '#gateway/buffer/refused-shelf.js';
import { bufferOptions } from '../support/buffer-options.js';
import { sealedBatch } from '../support/sealed-batches.js';
import { accountOf } from '../support/sequence-account.js';
import { spaceOptions } from '../support/space-options.js';
import { tempFolder } from '../support/temp-folder.js';

const MiB = 1024 * 1024;
const batchBytes = 5000;

/** Batches that don't compress, of 10 records each. */
async function put(buffer: GatewayBuffer, stream: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const batch = sealedBatch(stream, { bytes: batchBytes });
    await buffer.put(stream, { ...batch, payload: { ...batch.payload, payload: randomBytes(batchBytes) } });
  }
}

const stateOf = (buffer: GatewayBuffer, stream: string): BufferedStream =>
  buffer.streams().find((s) => s.stream === stream) ?? assert.fail(`no stream ${stream}`);

/** What the disk gives for it: RocksDB's info log is sparse once it was cut. */
async function folderBytes(path: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(path)) {
    const { size, blocks } = await stat(join(path, name)).catch(() => ({ size: 0, blocks: 0 }));
    bytes += Math.min(size, 512 * blocks);
  }
  return bytes;
}

describe('the space of the buffer', () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  let path: string;

  beforeEach(async () => {
    folder = await tempFolder('space');
    path = join(folder.path, 'buffer');
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  it('stays within its limit on disk while sources give several times as much, and says what was given up', async function () {
    this.timeout(120_000);
    const limitBytes = 20 * MiB;
    await using buffer = await openBuffer(bufferOptions(path, spaceOptions({}, { limitBytes })));
    let peak = 0;
    for (let round = 0; round < 35; round++) {
      await Promise.all(['can0', 'can1', 'gps'].map((stream) => put(buffer, stream, 134)));
      peak = Math.max(peak, await folderBytes(path));
    }
    await buffer.flush();
    assert.ok(peak <= limitBytes, `${peak} bytes on disk`);
    for (const { stream, next, givenUp, batches, bytes } of buffer.streams()) {
      const account = await accountOf(buffer, stream);
      assert.equal(account.next, next);
      assert.equal(next, 35 * 134);
      assert.equal(account.batches + givenUp.batches, next);
      assert.equal(account.records + givenUp.records, next * 10);
      assert.equal(batches, account.batches + account.gaps.length);
      assert.ok(bytes > 3 * MiB, `${stream} holds ${bytes}`);
      assert.equal(account.gaps.length, 1, 'one loss, one record');
      assert.equal(account.gaps[0].records, givenUp.records);
      assert.equal(account.gaps[0].cause, 'buffer-full');
    }
  });

  it('gives up the lowest priority first, and never events', async () => {
    const options = bufferOptions(path, spaceOptions({ low: { priority: 1 }, high: { priority: 8 } }));
    await using buffer = await openBuffer(options);
    const event = sealedBatch('e', { bytes: batchBytes });
    const note = { ...event.payload, kind: 'events', codec: 'events-1' } as const;
    await buffer.put('events', { ...event, payload: note });
    await put(buffer, 'high', 300);
    await put(buffer, 'low', 400);
    await put(buffer, 'high', 1600);
    await buffer.flush();
    assert.equal(stateOf(buffer, 'high').givenUp.batches, 0);
    assert.ok(stateOf(buffer, 'low').givenUp.batches > 0);
    await put(buffer, 'high', 2700);
    await buffer.flush();
    assert.equal(stateOf(buffer, 'low').givenUp.batches, 400);
    assert.ok(stateOf(buffer, 'high').givenUp.batches > 0);
    assert.equal(stateOf(buffer, 'events').givenUp.batches, 0);
    assert.equal((await accountOf(buffer, 'high')).next, 4600);
  });

  it("doesn't give up what is worth more for what is worth less: that is what goes", async () => {
    const options = bufferOptions(path, spaceOptions({ low: { priority: 1 }, high: { priority: 8 } }));
    await using buffer = await openBuffer(options);
    await put(buffer, 'high', 2500);
    await buffer.flush();
    const { givenUp } = stateOf(buffer, 'high');
    await put(buffer, 'low', 500);
    await buffer.flush();
    assert.deepEqual(stateOf(buffer, 'high').givenUp, givenUp);
    const low = await accountOf(buffer, 'low');
    assert.equal(low.next, 500);
    assert.ok(low.gaps.length >= 1 && low.gaps.length < 10, `${low.gaps.length} records`);
    assert.equal(low.records + low.gaps.reduce((sum, gap) => sum + gap.records, 0), 5000);
  });

  it('makes a source wait that can, and lets it go on when the cloud has taken something', async () => {
    const options = bufferOptions(path, spaceOptions({ file: { whenFull: 'wait' } }));
    await using buffer = await openBuffer(options);
    let done = false;
    const putting = put(buffer, 'file', 4000).then(() => (done = true));
    let before = -1;
    while (stateOf(buffer, 'file').next !== before) {
      before = stateOf(buffer, 'file').next;
      await buffer.flush();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.equal(done, false);
    await put(buffer, 'can0', 100); // a bus doesn't wait, and needs no more than what is kept for it
    assert.equal(stateOf(buffer, 'file').givenUp.batches, 0);
    while (!done) {
      await buffer.flush();
      await buffer.acknowledge('file', new RangeSet([[0, stateOf(buffer, 'file').durableNext - 1]]));
    }
    await putting;
    assert.equal(stateOf(buffer, 'file').givenUp.batches, 0);
  });

  it('keeps the account over restarts and acknowledgements, whatever they cover', async () => {
    const options = bufferOptions(path, spaceOptions());
    let given: BufferedStream;
    {
      await using buffer = await openBuffer(options);
      await put(buffer, 'can0', 2600);
      await buffer.flush();
      given = stateOf(buffer, 'can0');
    }
    await using buffer = await openBuffer(options);
    const reopened = stateOf(buffer, 'can0');
    assert.deepEqual(reopened, given);
    const { gaps } = await accountOf(buffer, 'can0');
    assert.equal(gaps.length, 1);
    const [gap] = gaps;
    await buffer.acknowledge('can0', new RangeSet([[0, gap.last - 1]]));
    assert.equal(stateOf(buffer, 'can0').first, 0, 'held in part: the record stays as it is');
    await buffer.acknowledge('can0', new RangeSet([[0, gap.last + 5]]));
    assert.equal(stateOf(buffer, 'can0').first, gap.last + 6);
    // What was on its way isn't changed: a later loss gets a record of its own.
    await put(buffer, 'can0', 300);
    await buffer.flush();
    const later = await accountOf(buffer, 'can0', gap.last + 6);
    assert.equal(later.next, 2900);
    assert.equal(later.gaps.length, 1);
    const state = stateOf(buffer, 'can0');
    assert.equal(state.bytes, await heldBytes(buffer, gap.last + 6));
    assert.equal(state.givenUp.batches, gap.last + 1 + later.gaps[0].last - later.gaps[0].first + 1);
  });

  it('keeps a limited number of refused batches aside, the newest, and counts all', async () => {
    const more = 10;
    {
      await using buffer = await openBuffer(bufferOptions(path));
      for (let i = 0; i < refusedKeptMax + more; i++) await buffer.put('can0', sealedBatch('x'));
      await buffer.flush();
      for (let i = 0; i < refusedKeptMax + more; i++) {
        await buffer.refuse('can0', i, 'too new');
        await buffer.flush();
      }
      assert.equal(stateOf(buffer, 'can0').refused, refusedKeptMax + more);
    }
    await using store = await openRocksDb({ path, purpose: 'buffer folder' });
    const kept: number[] = [];
    for await (const { key } of store.entries({ gte: Buffer.from('r'), lt: Buffer.from('s') })) {
      kept.push(readInteger(key, key.length - 8));
    }
    assert.equal(kept.length, refusedKeptMax);
    assert.equal(kept[0], more);
  });

  it('keeps refused batches within a limit of bytes, of all streams the newest, also over a restart', async () => {
    const refusedBytes = 100_000;
    const batchBytes = 9000; // 12 kB as it is kept
    const refuse = async (stream: string, count: number): Promise<void> => {
      await using buffer = await openBuffer(bufferOptions(path, { refusedBytes }));
      const from = buffer.streams().find((one) => one.stream === stream)?.next ?? 0;
      for (let i = 0; i < count; i++) await buffer.put(stream, sealedBatch('x', { bytes: batchBytes }));
      await buffer.flush();
      for (let i = from; i < from + count; i++) await buffer.refuse(stream, i, 'too new');
      await buffer.flush();
      assert.equal(stateOf(buffer, stream).refused, from + count);
    };
    await refuse('can0', 20);
    await refuse('can1', 3);
    await refuse('can0', 2);
    await using store = await openRocksDb({ path, purpose: 'buffer folder' });
    let bytes = 0;
    const kept: string[] = [];
    for await (const { key, value } of store.entries({ gte: Buffer.from('r'), lt: Buffer.from('s') })) {
      kept.push(`${key.toString().slice(2, 6)} ${readInteger(key, key.length - 8)}`);
      bytes += value.length;
    }
    assert.ok(bytes > refusedBytes - 2 * batchBytes && bytes < refusedBytes + 1000, `${bytes} bytes`);
    assert.deepEqual(kept, [
      'can0 17',
      'can0 18',
      'can0 19',
      'can0 20',
      'can0 21',
      'can1 0',
      'can1 1',
      'can1 2',
    ]);
  });
});

async function heldBytes(buffer: GatewayBuffer, from: number): Promise<number> {
  let sum = 0;
  for (let at = from; ;) {
    const read = await buffer.read('can0', at, 64);
    if (read.length === 0) return sum;
    for (const { sequence, lastSequence, bytes } of read) {
      if (sequence === lastSequence) sum += bytes.length;
      at = lastSequence + 1;
    }
  }
}
