import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cloud } from '../support/chaos/cloud.js';
import { describeFaults } from '../support/chaos/faults.js';
import { realRecordings, type Recording } from '../support/chaos/recordings.js';
import { playRound } from '../support/chaos/round.js';

const seed = Number(process.env.FLEETLOG_CHAOS_SEED ?? randomInt(2 ** 31));
const roundCount = 10;

describe(`chaos of seed ${seed}: nothing lost, nothing twice, nothing changed`, function () {
  this.timeout(240_000);
  let folder: string;
  let cloud: Cloud;
  let recordings: Recording[];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fleetlog-chaos-'));
    recordings = await realRecordings();
    cloud = new Cloud(join(folder, 'cloud'));
    await cloud.start();
  });
  after(async () => {
    await cloud.command.kill();
    await rm(folder, { recursive: true, force: true });
  });

  for (let round = 0; round < roundCount; round++) {
    it(`round ${round}: gateways and cloud killed, link cut, torn, reset, half-open, messages lost, doubled, late`, async () => {
      const { score, faults, logs } = await playRound({
        seed,
        round,
        folder: join(folder, `round-${round}`),
        cloud,
        recordings,
        transferSeconds: 3,
        longSilence: false,
      });
      assert.deepEqual(score.complaints, [], `${describeFaults(faults)}\n${logs}`);
    });
  }
});
