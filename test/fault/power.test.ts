import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { noPowerToCut } from '../support/power/power-disk.js';
import { emptyPowerScore, playSeries } from '../support/power/series.js';
import { tempFolder } from '../support/temp-folder.js';

const seed = Number(process.env.FLEETLOG_POWER_SEED ?? randomInt(2 ** 31));

/** The long form is `npm run test:power`. */
describe(`power cuts of seed ${seed}`, function () {
  this.timeout(600_000);
  let folder: Awaited<ReturnType<typeof tempFolder>>;

  before(async function () {
    const reason = noPowerToCut();
    if (reason !== undefined) {
      console.log(`      skipped: ${reason}`);
      return this.skip();
    }
    folder = await tempFolder('power');
  });
  after(async () => folder?.[Symbol.asyncDispose]());

  it('lose nothing that was durable, and the gateway starts again by itself, ten times', async () => {
    const score = emptyPowerScore();
    let logs = '';
    const onCut = (_: number, __: unknown, { log }: { log: string }): void => void (logs += log);
    await playSeries(
      { seed, first: 0, cuts: 10, tornShare: 0.3, folder: join(folder.path, 'whole'), onCut },
      score,
    );
    assert.deepEqual(score.complaints, [], logs.slice(-20_000));
    assert.equal(score.cuts, 10);
    assert.ok(score.acknowledged > 0);
    const { trim, evict } = score.moments; // these were waited for
    assert.ok(trim > 0 && evict > 0, JSON.stringify(score.moments));
  });

  it('do lose data where barriers do nothing: the check can fail', async () => {
    const score = emptyPowerScore();
    const folderOfControl = join(folder.path, 'control');
    await playSeries({ seed, first: 0, cuts: 1, folder: folderOfControl, withoutSync: true }, score);
    assert.ok(score.lostBatches > 0 || score.failedStarts > 0);
  });
});
