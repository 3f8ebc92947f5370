import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { Cloud } from '../support/chaos/cloud.js';
import { failingKinds, failingTrial, playFailing } from '../support/disk/failing.js';
import { fullKinds, fullTrial, playFull } from '../support/disk/full.js';
import type { DiskResult } from '../support/disk/result.js';
import { noPowerToCut } from '../support/power/power-disk.js';
import { noSmallDisk } from '../support/small-disk.js';
import { tempFolder } from '../support/temp-folder.js';

const seed = Number(process.env.FLEETLOG_DISK_SEED ?? randomInt(2 ** 31));

/** The long form is `npm run test:disk`. */
describe(`a disk that fails, of seed ${seed}`, function () {
  this.timeout(300_000);
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  let cloud: Cloud;

  before(async function () {
    const reason = noSmallDisk() ?? noPowerToCut();
    if (reason !== undefined) {
      console.log(`      skipped: ${reason}`);
      return this.skip();
    }
    folder = await tempFolder('disk-trials');
    cloud = new Cloud(join(folder.path, 'cloud'));
    await cloud.start();
  });
  after(async () => {
    await cloud?.command.kill();
    await folder?.[Symbol.asyncDispose]();
  });

  const own = (id: string): { id: string; folder: string; cloud: Cloud } => ({
    id,
    folder: join(folder.path, id),
    cloud,
  });

  async function allWell(trials: Promise<DiskResult>[]): Promise<void> {
    // All of them first: their disks are in use until they end.
    for (const { complaints, held, log } of await Promise.all(trials)) {
      assert.deepEqual(complaints, [], log.slice(-10_000));
      assert.ok(held > 0);
    }
  }

  it('full but for a little: nothing is lost, and nothing ends for ever, whatever the gateway was at', async () => {
    await allWell(fullKinds.map((_, index) => playFull(fullTrial(seed, index), own(`full-${index}`))));
  });

  it('with errors when it is read or written: after a repair of the file system nothing is lost', async () => {
    await allWell(
      failingKinds.map((_, index) => playFailing(failingTrial(seed, index), own(`failing-${index}`))),
    );
  });
});
