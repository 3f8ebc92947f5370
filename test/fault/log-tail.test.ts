import assert from 'node:assert/strict';
import { readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '@fleetlog/shared/util';
import { openIndex } from '#cloud/index/index.js';
import { verify } from '#cloud/integrity/verify.js';
import type { Log } from '#cloud/log/log.js';
import { openLog } from '#cloud/log/rocksdb-log.js';
import { all } from '../support/collect.js';
import { FakeFleet } from '../support/fake-fleet.js';
import { keeping } from '../support/keeping.js';
import { captureLog } from '../support/log-capture.js';
import { append, canBatch } from '../support/recorded.js';
import { tempFolder } from '../support/temp-folder.js';

const batches = 60;
const batch = (sequence: number): Uint8Array =>
  canBatch([1_500_000_000_000_000 + sequence], { sequence }, sequence);

async function filled(path: string): Promise<void> {
  await using log = await open(path);
  await using index = await openIndex({ log, logger, clock: systemClock, path: `${path}.index` });
  for (let sequence = 0; sequence < batches; sequence++) await append(log, [batch(sequence)]);
  await index.caughtUp(AbortSignal.timeout(30_000));
}

const logger = captureLog();
const saysLost = (): boolean => logger.entries.some(({ facts }) => facts['code'] === 'FLEETLOG_STORE_BROKEN');
const open = (path: string): Promise<Log> => openLog({ path, partitions: 1, logger, clock: systemClock });

/** Cuts the newest write-ahead log in half. */
function cutTail(path: string): void {
  const [name] = readdirSync(path)
    .filter((one) => /^\d+\.log$/.test(one))
    .sort()
    .reverse();
  const file = join(path, name);
  truncateSync(file, Math.floor(statSync(file).size / 2));
}

describe('a log whose end was lost after it was acknowledged', () => {
  it('is noticed at the start and by verify, and offsets are not given again', async () => {
    await using folder = await tempFolder('tail');
    const path = join(folder.path, 'log');
    await filled(path);
    cutTail(path);
    logger.entries.length = 0;
    await using log = await open(path);
    assert.ok(saysLost(), 'the start says so');
    assert.equal(log.ends()[0].next, batches);
    assert.deepEqual(await append(log, [batch(batches)]), [batches]);
    const kept = (await all(log.read(0, 0))).map(({ offset }) => offset);
    assert.ok(kept.length > 1 && kept.length < batches, String(kept.length));
    await using index = await openIndex({
      log,
      logger,
      clock: systemClock,
      path: `${path}.index`,
    });
    await index.caughtUp(AbortSignal.timeout(30_000));
    assert.equal(
      (await index.stream('truck-17', 'can0'))?.batches,
      kept.length,
      'the index knows of no others',
    );
    await using care = await keeping(log, index);
    const events = await all(
      verify({ log, index, fleet: new FakeFleet(), ...care }, AbortSignal.timeout(30_000)),
    );
    assert.deepEqual(
      events
        .filter(({ event }) => event === 'problem')
        .map((one) => 'kind' in one && [one.kind, one.first, one.last]),
      [['unreadable', kept.length - 1, batches - 1]],
    );
  });

  it('control: without the mark nobody would know', async () => {
    await using folder = await tempFolder('tail');
    const path = join(folder.path, 'log');
    await filled(path);
    cutTail(path);
    rmSync(`${path}.mark`);
    await using log = await open(path);
    assert.ok(log.ends()[0].next < batches);
  });

  it('a log that is whole is behind its mark nowhere, also after a kill and with a mark that is torn', async () => {
    await using folder = await tempFolder('tail');
    const path = join(folder.path, 'log');
    await filled(path);
    truncateSync(`${path}.mark`, 100);
    logger.entries.length = 0;
    await using log = await open(path);
    assert.equal(log.ends()[0].next, batches);
    assert.ok(!saysLost());
  });
});
