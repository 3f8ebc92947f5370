import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeBatch, decodeGap } from '@fleetlog/shared/batch';
import { openRocksDb } from '@fleetlog/shared/store';
import { RangeSet } from '@fleetlog/shared/util';
import type { GatewayBuffer } from '#gateway/buffer/buffer.js';
import { openBuffer } from '#gateway/buffer/open-buffer.js';
import { bufferOptions } from '../support/buffer-options.js';
import { cutFile, filesOf, flipBit, removeFile } from '../support/damage/damage.js';
import { sealedBatch } from '../support/sealed-batches.js';
import { tempFolder } from '../support/temp-folder.js';

const batchCount = 60;
const recordsEach = 10;

/** What the cloud would know after it took everything: of each epoch the data, and the sequences given up. */
interface Account {
  held: RangeSet;
  gaps: RangeSet;
  /** Records in gap records; NaN where one doesn't know. */
  records: number;
  causes: string[];
}

async function drain(buffer: GatewayBuffer): Promise<Map<string, Account>> {
  const accounts = new Map<string, Account>();
  await buffer.rescued();
  await buffer.flush();
  for (const { stream, durableNext } of buffer.streams()) {
    for (let from = 0; from < durableNext;) {
      const batches = await buffer.read(stream, from, 16);
      if (batches.length === 0) break;
      for (const { bytes, sequence, lastSequence } of batches) {
        const batch = decodeBatch(bytes);
        const { header, payload } = batch;
        assert.deepEqual([header.sequence, header.lastSequence], [sequence, lastSequence]);
        const account = accounts.get(header.epoch) ?? {
          held: new RangeSet(),
          gaps: new RangeSet(),
          records: 0,
          causes: [],
        };
        accounts.set(header.epoch, account);
        if (header.codec === 'gap-1') {
          account.gaps.add(sequence, lastSequence);
          account.records += header.recordCount < 0 ? Number.NaN : header.recordCount;
          account.causes.push(decodeGap(batch).cause);
          assert.ok(header.firstTimeUs <= header.lastTimeUs);
        } else {
          account.held.add(sequence);
          const { payload: put } = sealedBatch(`b-${sequence}`, { bytes: 3000 });
          assert.ok(Buffer.from(put.payload).equals(payload), `batch ${sequence} is as it was put`);
        }
        from = lastSequence + 1;
      }
    }
  }
  return accounts;
}

describe('a damaged buffer', function () {
  this.timeout(20_000);
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  let path: string;
  let epoch: string;

  /** 60 batches in five commits; `tables`: in table files, else in the write-ahead log. */
  async function fill({ tables = false, position = false } = {}): Promise<void> {
    await using buffer = await openBuffer(bufferOptions(path, { commitIntervalMs: 60_000 }));
    epoch = buffer.epoch;
    for (let i = 0; i < batchCount; i++) {
      const facts = { bytes: 3000, records: recordsEach, ...(position && { position: `behind ${i}` }) };
      await buffer.put('can0', sealedBatch(`b-${i}`, facts));
      if (i % 12 === 11) await buffer.flush();
    }
    await buffer[Symbol.asyncDispose]();
    if (!tables) return;
    // Opening replays the log into a table.
    const store = await openRocksDb({
      path,
      purpose: 'buffer',
      blobs: { bytesMin: 512, fileBytes: 1 << 20 },
    });
    await store.close();
  }

  beforeEach(async () => {
    folder = await tempFolder('damage');
    path = join(folder.path, 'buffer');
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  /** Opens, takes all, and checks that data and gap records of the first life are everything. */
  async function accountAll(options = {}): Promise<Account> {
    await using buffer = await openBuffer(bufferOptions(path, options));
    const next = buffer.streams().find(({ stream }) => stream === 'can0')?.next ?? 0;
    await buffer.put('can0', sealedBatch(`b-${next}`, { bytes: 3000 }));
    const accounts = await drain(buffer);
    const account = accounts.get(epoch) ?? {
      held: new RangeSet(),
      gaps: new RangeSet(),
      records: 0,
      causes: [],
    };
    assert.equal(next, buffer.epoch === epoch ? batchCount : 0);
    const all = new RangeSet(account.held);
    for (const [first, last] of account.gaps) assert.equal(all.add(first, last), last - first + 1);
    assert.deepEqual(all.toFlat(), [0, buffer.epoch === epoch ? batchCount : batchCount - 1]);
    return account;
  }

  it('goes on where it was when nothing is damaged', async () => {
    await fill();
    await using buffer = await openBuffer(bufferOptions(path));
    assert.equal(buffer.epoch, epoch);
    const account = (await drain(buffer)).get(epoch);
    assert.deepEqual(account?.held.toFlat(), [0, batchCount - 1]);
    assert.equal(account?.gaps.size, 0);
  });

  it('loses one batch by one bit in the middle of the write-ahead log, and a gap record says which', async () => {
    await fill();
    const [log] = await filesOf(path, /\.log$/);
    await flipBit(log, 0.5);
    await using buffer = await openBuffer(bufferOptions(path));
    assert.equal(buffer.epoch, epoch);
    const account = (await drain(buffer)).get(epoch);
    assert.equal(account?.held.size, batchCount - 1);
    assert.equal(account?.gaps.size, 1);
    assert.equal(account?.records, recordsEach);
    assert.deepEqual(account?.causes, ['corrupt']);
  });

  it('numbers nothing anew behind a write-ahead log that was cut short', async () => {
    await fill({ position: true });
    const [log] = await filesOf(path, /\.log$/);
    await cutFile(log, 0.5);
    await using buffer = await openBuffer(bufferOptions(path));
    assert.equal(buffer.epoch, epoch);
    assert.equal(Buffer.from((await buffer.position('can0')) ?? []).toString(), `behind ${batchCount - 1}`);
    const account = (await drain(buffer)).get(epoch);
    assert.equal(account?.gaps.max, batchCount - 1);
    assert.equal((account?.held.size ?? 0) + (account?.gaps.size ?? 0), batchCount);
    assert.equal(account?.records, recordsEach * (account?.gaps.size ?? 0));
    assert.equal(buffer.streams()[0].next, batchCount);
  });

  it('accounts for a whole life whose log or folder is gone', async () => {
    for (const remove of [
      async () => removeFile((await filesOf(path, /\.log$/))[0]),
      () => rm(path, { recursive: true }),
    ]) {
      await fill({ position: true });
      await remove();
      await using buffer = await openBuffer(bufferOptions(path));
      assert.notEqual(buffer.epoch, epoch);
      assert.equal(Buffer.from((await buffer.position('can0')) ?? []).toString(), `behind ${batchCount - 1}`);
      const account = (await drain(buffer)).get(epoch);
      assert.deepEqual(account?.gaps.toFlat(), [0, batchCount - 1]);
      assert.equal(account?.records, batchCount * recordsEach);
      await buffer[Symbol.asyncDispose]();
      await rm(folder.path, { recursive: true });
    }
  });

  it('sends a gap record in place of a batch whose block is damaged', async () => {
    await fill({ tables: true });
    const [blob] = await filesOf(path, /\.blob$/);
    await flipBit(blob, 0.5);
    await using buffer = await openBuffer(bufferOptions(path));
    const account = (await drain(buffer)).get(epoch);
    assert.equal(account?.gaps.size, 1);
    assert.equal(account?.records, recordsEach);
    assert.equal(account?.held.size, batchCount - 1);
    for (const { stream, durableNext } of buffer.streams()) {
      await buffer.acknowledge(stream, new RangeSet([[0, durableNext - 1]]));
    }
    assert.deepEqual(
      buffer.streams().map(({ batches }) => batches),
      [0],
    );
  });

  for (const [what, damage] of [
    ['CURRENT is empty', async () => cutFile(join(path, 'CURRENT'), 0)],
    ['CURRENT is gone', async () => removeFile(join(path, 'CURRENT'))],
    ['the MANIFEST is gone', async () => removeFile((await filesOf(path, /^MANIFEST/))[0])],
    ['a bit of the MANIFEST is wrong', async () => flipBit((await filesOf(path, /^MANIFEST/))[0], 0.4)],
    ['the MANIFEST is cut', async () => cutFile((await filesOf(path, /^MANIFEST/))[0], 0.3)],
    ["a table's footer is wrong", async () => flipBit((await filesOf(path, /\.sst$/))[0], 0.999)],
    ["a table's index is wrong", async () => flipBit((await filesOf(path, /\.sst$/))[0], 0.9)],
    ['a table is gone', async () => removeFile((await filesOf(path, /\.sst$/))[0])],
    ['a table is cut', async () => cutFile((await filesOf(path, /\.sst$/))[0], 0.5)],
    ['a file of values is cut', async () => cutFile((await filesOf(path, /\.blob$/))[0], 0.5)],
    ['a file of values is gone', async () => removeFile((await filesOf(path, /\.blob$/))[0])],
    ['IDENTITY is gone', async () => removeFile(join(path, 'IDENTITY'))],
    ['OPTIONS are wrong', async () => flipBit((await filesOf(path, /^OPTIONS/))[0], 0.5)],
  ] as const) {
    it(`starts, rescues what reads and accounts for the rest where ${what}`, async () => {
      await fill({ tables: true });
      await damage();
      const account = await accountAll();
      const readable = !what.includes('file of values');
      if (readable) assert.ok(account.held.covers(0, batchCount - 1), 'all batches are rescued');
    });
  }
});
