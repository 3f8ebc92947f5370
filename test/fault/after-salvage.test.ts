import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { RangeSet } from '@fleetlog/shared/util';
import type { GatewayBuffer } from '#gateway/buffer/buffer.js';
import { verifyBuffer } from '#gateway/buffer/integrity/verify.js';
import { markPath, openBuffer } from '#gateway/buffer/open-buffer.js';
import { bufferOptions } from '../support/buffer-options.js';
import { Cloud } from '../support/chaos/cloud.js';
import { Gateway } from '../support/chaos/gateway.js';
import { generatedRecordings } from '../support/chaos/recordings.js';
import { sealedBatch } from '../support/sealed-batches.js';
import { accountOf } from '../support/sequence-account.js';
import { tempFolder } from '../support/temp-folder.js';

const batchBytes = 2000;

async function put(buffer: GatewayBuffer, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const batch = sealedBatch('x', { bytes: batchBytes });
    await buffer.put('can0', { ...batch, payload: { ...batch.payload, payload: randomBytes(batchBytes) } });
  }
  await buffer.flush();
}

describe('after a salvage', function () {
  this.timeout(120_000);
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  let path: string;

  beforeEach(async () => {
    folder = await tempFolder('salvaged');
    path = join(folder.path, 'buffer');
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  it('verify finds the buffer sound where all that waits reads, and still names the damaged file', async () => {
    const options = bufferOptions(path);
    {
      await using buffer = await openBuffer(options);
      await put(buffer, 2000);
    }
    const blob = (await readdir(path)).filter((name) => name.endsWith('.blob')).sort()[0];
    const file = await open(join(path, blob), 'r+');
    await file.write(Buffer.alloc(16, 0x55), 0, 16, 10_000);
    await file.close();
    const before = await verifyBuffer(options, markPath(path));
    assert.equal(before.isSound, false, JSON.stringify(before));
    {
      await using buffer = await openBuffer(options);
      const { gaps, next } = await accountOf(buffer, 'can0');
      assert.ok(gaps.length > 0 && next === 2000);
      await buffer.flush();
    }
    const after = await verifyBuffer(options, markPath(path));
    assert.deepEqual(after.damagedFiles, [blob]);
    assert.equal(after.isSound, true, JSON.stringify(after));
  });

  it('an earlier life is named to the cloud until all that was rescued of it is acknowledged', async () => {
    const options = bufferOptions(path);
    let epoch: string;
    {
      await using buffer = await openBuffer(options);
      await put(buffer, 20);
      ({ epoch } = buffer);
      assert.deepEqual(buffer.earlierEpochs, []);
    }
    await rm(join(path, 'CURRENT'));
    await using buffer = await openBuffer(options);
    await buffer.rescued();
    assert.notEqual(buffer.epoch, epoch);
    assert.deepEqual(buffer.earlierEpochs, [epoch]);
    await buffer.acknowledge(`can0@${epoch}`, new RangeSet([[0, 19]]));
    assert.deepEqual(buffer.earlierEpochs, []);
  });

  it('--until-drained drains all else and ends with status 1 where the rescue could not be done', async () => {
    const cloud = new Cloud(join(folder.path, 'cloud'));
    await cloud.start();
    try {
      const url = `mqtt://127.0.0.1:${cloud.mqttPort}`;
      const gateway = await Gateway.prepare('g', join(folder.path, 'g'), generatedRecordings(3, 2), { url });
      // A file that doesn't read, and a place for the report that can't be written to.
      const aside = join(gateway.dataFolder, 'buffer.damaged-20260101T000000Z');
      await mkdir(join(aside, '000001.sst'), { recursive: true });
      await symlink(join(folder.path, 'nowhere', 'report'), join(aside, 'rescued.json'));
      gateway.command.start();
      const { status } = await gateway.command.ended(60_000);
      assert.equal(status, 1, gateway.command.log);
      assert.match(
        gateway.command.log,
        /fleetlog-gateway: The rescue of a damaged buffer isn't done: .*ENOENT/,
      );
      for (const expectation of gateway.expectations) {
        assert.deepEqual(await cloud.exportStream(expectation), expectation.input);
      }
    } finally {
      await cloud.command.kill();
    }
  });
});
