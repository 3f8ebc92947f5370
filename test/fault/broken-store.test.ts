import assert from 'node:assert/strict';
import { join } from 'node:path';
import { decodeBatch, decodeGap } from '@fleetlog/shared/batch';
import { FleetlogError, isFleetlogError } from '@fleetlog/shared/errors';
import { silentLogger } from '@fleetlog/shared/log';
import { openRocksDb } from '@fleetlog/shared/store';
import { systemClock } from '@fleetlog/shared/util';
import { storeOptions } from '#gateway/buffer/buffer-options.js';
import { CheckedStore } from '#gateway/buffer/integrity/checked-store.js';
import { MarkFile } from '#gateway/buffer/integrity/mark.js';
import { readLife } from '#gateway/buffer/life.js';
import { markPath, openBuffer } from '#gateway/buffer/open-buffer.js';
import { bufferOf } from '#gateway/buffer/rocksdb-buffer.js';
import { bufferOptions } from '../support/buffer-options.js';
import { FaultyStore } from '../support/faulty-store.js';
import { sealedBatch } from '../support/sealed-batches.js';
import { tempFolder } from '../support/temp-folder.js';

describe('a buffer whose database refuses every write', function () {
  this.timeout(60_000);

  it('says so once, holds nobody up, and explains at the next opening what was in memory only', async () => {
    await using folder = await tempFolder('broken');
    const path = join(folder.path, 'buffer');
    const broken = Promise.withResolvers<FleetlogError>();
    const options = bufferOptions(path, { onBroken: broken.resolve, queueBytes: 1 });
    const mark = await MarkFile.open(markPath(path), systemClock, silentLogger);
    const faulty = new FaultyStore(await openRocksDb(storeOptions(options)));
    const store = new CheckedStore(faulty);
    const buffer = bufferOf(store, await readLife(store, options), new Map(), options, mark);
    await buffer.put('can0', sealedBatch('live', { records: 10 }));
    await buffer.put('file0', sealedBatch('file', { records: 10, position: 'here' }));
    await buffer.flush();
    faulty.failWrite = new FleetlogError('FLEETLOG_STORE', 'Batch was not applied: block checksum mismatch');
    await Promise.all([
      buffer.put('can0', sealedBatch('live, lost', { records: 7 })),
      buffer.put('file0', sealedBatch('file, given again', { records: 7, position: 'there' })),
    ]);
    assert.equal((await broken.promise).code, 'FLEETLOG_STORE_BROKEN');
    await assert.rejects(buffer.flush(), (error) => isFleetlogError(error, 'FLEETLOG_STORE_BROKEN'));
    await buffer[Symbol.asyncDispose]();

    await using again = await openBuffer(bufferOptions(path));
    await again.flush();
    assert.equal(Buffer.from((await again.position('file0')) ?? []).toString(), 'here');
    assert.equal(again.streams().find(({ stream }) => stream === 'file0')?.next, 1);
    const read = await again.read('can0', 0, 10);
    assert.deepEqual(
      read.map(({ sequence }) => sequence),
      [0, 1],
    );
    const gap = decodeBatch(read[1].bytes);
    assert.equal(gap.header.recordCount, 7);
    assert.equal(decodeGap(gap).cause, 'corrupt');
  });
});
