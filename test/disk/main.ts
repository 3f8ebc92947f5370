import { randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Cloud } from '../support/chaos/cloud.js';
import { damagingTrial, playDamaging } from '../support/disk/damaging.js';
import { failingTrial, playFailing } from '../support/disk/failing.js';
import { fullTrial, playFull } from '../support/disk/full.js';
import type { DiskResult } from '../support/disk/result.js';
import { noPowerToCut } from '../support/power/power-disk.js';
import { noSmallDisk } from '../support/small-disk.js';

const help = `npm run test:disk -- [--fault full|error|damage] [--trials 60] [--seed N] [--first K]

Fills the disk of a gateway: while it writes, gives up the oldest, starts, salvages, starts for the first time, stops;
all but a few random KiB. When there is space again all must be in the cloud, or be listed as given up. Prints a line a
trial; exit status 1 where anything is lost. Or the disk gives errors (EIO) for a while when it is read or written, the
file system is repaired, and the gateway started again. Or the files of its buffer are damaged while it works with them:
a bit, a cut, a removal. Full disks and errors need root; errors need nbdkit, too.

  --fault F    full (without it), error, or damage
  --trials N   (60)
  --seed N     of all that is random; printed, so that a trial can be played again
  --first K    begin with this trial

Examples:
  npm run test:disk -- --trials 12
  npm run test:disk -- --seed 7 --first 31 --trials 1
`;

const { values: given } = parseArgs({
  options: {
    fault: { type: 'string', default: 'full' },
    trials: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    first: { type: 'string', default: '0' },
    help: { type: 'boolean', short: 'h' },
  },
});
const faults = ['full', 'error', 'damage'] as const;
const fault = faults.find((name) => name === given.fault);
const [trials, seed, first] = [given.trials, given.seed, given.first].map(Number);
if (
  given.help ||
  fault === undefined ||
  ![trials, seed, first].every((value) => Number.isSafeInteger(value) && value >= 0)
) {
  console.log(help);
  process.exit(given.help ? 0 : 2);
}
const reason = { full: noSmallDisk, error: noPowerToCut, damage: () => undefined }[fault]();
if (reason !== undefined) {
  console.error(`No disk can fail here: it ${reason}.`);
  process.exit(2);
}

// With us end the processes that we started.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

const folder = await mkdtemp(join(tmpdir(), 'fleetlog-disk-'));
console.log(`seed ${seed}, ${trials} trials, in ${folder}`);
const cloud = new Cloud(join(folder, 'cloud'));
await cloud.start();
let failed = 0;
for (let index = first; index < first + trials; index++) {
  const own = { id: `disk-${index}`, folder: join(folder, `${index}`), cloud };
  const { what, result } = play(index, own);
  const { complaints, met, held, explained, log } = await result;
  const isWell = complaints.length === 0;
  console.log(
    `trial ${index}  ${isWell ? 'ok' : 'FAILED'}  ${what}: ` +
      `${held} records held, ${explained} given up; met ${met.join(', ') || 'nothing'}`,
  );
  if (!isWell) {
    failed++;
    console.log(`${complaints.join('\n')}\n${log.slice(-10_000)}`);
  }
}
await cloud.command.kill();
console.log(`\n${trials} trials of seed ${seed}: ${failed} failed`);
if (failed === 0) await rm(folder, { recursive: true, force: true });
else process.exitCode = 1;

function play(
  index: number,
  own: { id: string; folder: string; cloud: Cloud },
): { what: string; result: Promise<DiskResult> } {
  if (fault === 'full') {
    const trial = fullTrial(seed, index);
    const what = `${trial.kind}, ${trial.leftBytes / 1024} KiB left${trial.hasReserve ? ', with reserve' : ''}`;
    return { what, result: playFull(trial, own) };
  }
  if (fault === 'error') {
    const trial = failingTrial(seed, index);
    return { what: `${trial.kind}, ${trial.requests} fail`, result: playFailing(trial, own) };
  }
  const trial = damagingTrial(seed, index);
  return { what: `${trial.kind} ${trial.way}`, result: playDamaging(trial, own) };
}
