import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Cloud } from '../support/chaos/cloud.js';
import { damagingKinds, damagingTrial, playDamaging } from '../support/disk/damaging.js';
import { failingKinds, failingTrial, playFailing } from '../support/disk/failing.js';
import { fullKinds, fullTrial, playFull } from '../support/disk/full.js';
import type { DiskResult } from '../support/disk/result.js';
import { noPowerToCut } from '../support/power/power-disk.js';
import { noSmallDisk } from '../support/small-disk.js';
import { tempFolder } from '../support/temp-folder.js';

const seed = Number(process.env.FLEETLOG_DISK_SEED ?? 20261123);

/** The long form, of any seed, is `npm run test:disk`. */
describe(`a disk that fails its gateway, of seed ${seed}`, function () {
  this.timeout(300_000);
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  let cloud: Cloud;

  before(async () => {
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

  function skipped(context: Mocha.Context, reason: string | undefined): void {
    if (reason === undefined) return;
    console.log(`      skipped: ${reason}`);
    context.skip();
  }

  it('full but for a little: nothing is lost, and nothing ends for ever, whatever the gateway was at', async function () {
    skipped(this, noSmallDisk());
    await allWell(fullKinds.map((_, index) => playFull(fullTrial(seed, index), own(`full-${index}`))));
  });

  it('with errors when it is read or written: after a repair of the file system nothing is lost', async function () {
    skipped(this, noPowerToCut());
    await allWell(
      failingKinds.map((_, index) => playFailing(failingTrial(seed, index), own(`failing-${index}`))),
    );
  });

  it('with files damaged while they are in use: the gateway goes on by itself, and what is missing is told', async () => {
    await allWell(
      damagingKinds.map((_, index) => playDamaging(damagingTrial(seed, index), own(`damaging-${index}`))),
    );
  });
});
