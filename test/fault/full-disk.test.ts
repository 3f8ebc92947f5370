import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { isFleetlogError } from '@fleetlog/shared/errors';
import { silentLogger } from '@fleetlog/shared/log';
import type { BufferedStream, GatewayBuffer } from '#gateway/buffer/buffer.js';
import { openBuffer } from '#gateway/buffer/open-buffer.js';
import { type BufferOptions } from '#gateway/buffer/buffer-options.js';
import { diskOf } from '#gateway/buffer/space/disk.js';
import { bufferOptions } from '../support/buffer-options.js';
import { sealedBatch } from '../support/sealed-batches.js';
import { accountOf } from '../support/sequence-account.js';
import { noSmallDisk, SmallDisk } from '../support/small-disk.js';
import { spaceOptions } from '../support/space-options.js';
import { until } from '../support/until.js';

const MiB = 1024 * 1024;
const batchBytes = 20_000;
const diskBytes = 48 * MiB;

async function put(buffer: GatewayBuffer, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const batch = sealedBatch('x', { bytes: batchBytes });
    await buffer.put('can0', { ...batch, payload: { ...batch.payload, payload: randomBytes(batchBytes) } });
  }
}

const can0 = (buffer: GatewayBuffer): BufferedStream => buffer.streams()[0];

describe('a full disk', function () {
  this.timeout(90_000);
  let disk: SmallDisk;

  before(async function () {
    const reason = noSmallDisk();
    if (reason === undefined) return;
    console.log(`      skipped: ${reason}`);
    this.skip();
  });
  beforeEach(async () => {
    disk = await SmallDisk.mount(diskBytes);
  });
  afterEach(async () => {
    await disk?.[Symbol.asyncDispose]();
  });

  const options = (freeBytesMin: number, ballastBytes: number): BufferOptions => {
    const { space, ...sizes } = spaceOptions();
    const limits = { bytes: 1024 * MiB, freeBytesMin, ballastBytes };
    return bufferOptions(join(disk.path, 'buffer'), {
      ...sizes,
      space: { ...space, policyOf: space?.policyOf ?? assert.fail(), limits, disk: diskOf(disk.path) },
    });
  };

  /** Every sequence is there, or explained. */
  const assertComplete = async (buffer: GatewayBuffer, batches: number): Promise<void> => {
    const account = await accountOf(buffer, 'can0');
    assert.equal(account.next, batches);
    assert.equal(account.batches + can0(buffer).givenUp.batches, batches);
    assert.equal(account.records + account.gaps.reduce((sum, gap) => sum + gap.records, 0), batches * 10);
  };

  it('is never filled by the buffer: at the floor of free space the new takes the place of the old', async () => {
    await using buffer = await openBuffer(options(12 * MiB, 0));
    let least = Infinity;
    for (let round = 0; round < 50; round++) {
      await put(buffer, 100);
      least = Math.min(least, await disk.freeBytes());
    }
    await buffer.flush();
    assert.ok(least > 4 * MiB, `${least} bytes free`);
    const { givenUp, bytes } = can0(buffer);
    assert.ok(givenUp.batches > 3000 && bytes > 8 * MiB, `${givenUp.batches} given up, ${bytes} bytes held`);
    await assertComplete(buffer, 5000);
  });

  it('loses nothing that was put while it was full, and goes on when there is space again', async () => {
    await using buffer = await openBuffer(options(0, 0));
    await put(buffer, 100);
    await buffer.flush();
    await disk.fill();
    const putting = put(buffer, 400);
    await until('a failed write', () => can0(buffer).next > can0(buffer).durableNext + 20);
    assert.ok(can0(buffer).durableNext < 500);
    await disk.clear();
    await putting;
    await buffer.flush();
    assert.equal(can0(buffer).durableNext, 500);
    await assertComplete(buffer, 500);
  });

  it('is opened with the ballast, and only with it', async () => {
    {
      await using buffer = await openBuffer(options(MiB, 8 * MiB));
      await put(buffer, 200);
      await until('the ballast', () => existsSync(join(disk.path, 'buffer.ballast')));
      await buffer.flush();
    }
    await disk.fill();
    await assert.rejects(openBuffer({ ...options(MiB, 8 * MiB), space: undefined }), (error) =>
      isFleetlogError(error, 'FLEETLOG_STORE_FULL'),
    );
    await using buffer = await openBuffer(options(MiB, 8 * MiB));
    assert.equal(existsSync(join(disk.path, 'buffer.ballast')), false);
    await put(buffer, 20);
    await buffer.flush();
    await assertComplete(buffer, 220);
    await disk.clear();
    await until('the ballast again', () => existsSync(join(disk.path, 'buffer.ballast')), 30_000);
  });

  it('is opened with the ballast where the database is damaged as well', async () => {
    {
      await using buffer = await openBuffer(options(MiB, 8 * MiB));
      await put(buffer, 200);
      await until('the ballast', () => existsSync(join(disk.path, 'buffer.ballast')));
      await buffer.flush();
    }
    await truncate(join(disk.path, 'buffer', 'CURRENT'), 0);
    await disk.fill();
    await assert.rejects(openBuffer({ ...options(MiB, 8 * MiB), space: undefined }), (error) =>
      isFleetlogError(error, 'FLEETLOG_STORE_FULL'),
    );
    await using buffer = await openBuffer(options(MiB, 8 * MiB));
    await put(buffer, 20);
    await buffer.flush();
  });

  it('that others filled makes the buffer give back, with a record of it, and take again', async () => {
    const warnings: string[] = [];
    const logger = { ...silentLogger, warn: (_: object, message: string) => warnings.push(message) };
    await using buffer = await openBuffer({ ...options(4 * MiB, 4 * MiB), logger });
    await until('the ballast', () => existsSync(join(disk.path, 'buffer.ballast')));
    await put(buffer, 1000);
    await buffer.flush();
    await disk.fill();
    await put(buffer, 300); // more than fits without giving up
    await buffer.flush();
    assert.ok(
      warnings.some((text) => /ballast was deleted/.test(text)),
      warnings.join('\n'),
    );
    assert.ok(can0(buffer).givenUp.batches > 100, `${can0(buffer).givenUp.batches} given up`);
    await assertComplete(buffer, 1300);
    await disk.clear();
    await put(buffer, 200);
    await buffer.flush();
    await assertComplete(buffer, 1500);
  });
});
