import { randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Prng } from '#sim/vehicle/prng.js';
import { addScore, emptyScore } from '../support/chaos/check.js';
import { Cloud } from '../support/chaos/cloud.js';
import { describeFaults, noFaults, type FaultCounts } from '../support/chaos/faults.js';
import { realDataFolder, realRecordings } from '../support/chaos/recordings.js';
import { playRound, type RoundResult } from '../support/chaos/round.js';

const help = `npm run soak -- [--rounds 200] [--seed N] [--round K]

Rounds of recordings brought to the log through everything that can go wrong: processes killed, connections cut, torn
and half-open, acknowledgements dropped, batches doubled and out of order. Prints a line a round and the score at the
end; exit status 1 where a single byte differs.

  --rounds N   rounds to play (200)
  --seed N     of all that is random; printed, so that a run can be played again
  --round K    play this one only

Examples:
  npm run soak -- --rounds 20
  npm run soak -- --seed 20261122 --round 7
`;

const given = parsed();
if (given.help) {
  console.log(help);
  process.exit(0);
}
const seed = Number(given.seed ?? randomInt(2 ** 31));
const first = Number(given.round ?? 0);
const count = given.round === undefined ? Number(given.rounds ?? 200) : 1;
if (![seed, first, count].every((value) => Number.isSafeInteger(value) && value >= 0)) {
  console.error('Give --rounds, --seed and --round whole numbers.');
  process.exit(2);
}

// With us end the processes that we started.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

/** The cloud's log grows over this many rounds, then a new one begins. */
const ROUNDS_PER_CLOUD = 20;
const LONG_SILENCE_PROBABILITY = 0.06;

const folder = await mkdtemp(join(tmpdir(), 'fleetlog-soak-'));
const recordings = await realRecordings();
console.log(
  `seed ${seed}, ${count} rounds, ${recordings.length} recordings of ${realDataFolder}, in ${folder}`,
);

const total = emptyScore();
const faults = noFaults();
const beganMs = performance.now();
const failed: string[] = [];
let cloud: Cloud | undefined;
for (let round = first; round < first + count; round++) {
  if (!cloud || round % ROUNDS_PER_CLOUD === 0) cloud = await freshCloud(cloud, round);
  const longSilence = new Prng(seed, 90_000 + round).chance(LONG_SILENCE_PROBABILITY);
  const roundFolder = join(folder, `round-${round}`);
  let result: RoundResult;
  try {
    result = await playRound({
      seed,
      round,
      folder: roundFolder,
      cloud,
      recordings,
      transferSeconds: 5,
      longSilence,
    });
  } catch (error) {
    failed.push(
      `round ${round} broke off: ${String(error instanceof Error ? (error.cause ?? error) : error)}`,
    );
    console.log(
      `${error instanceof Error ? error.message : String(error)}\nround ${round}  FAILED  ${failed.at(-1)}`,
    );
    await cloud.command.kill();
    cloud = undefined;
    continue;
  }
  addScore(total, result.score);
  for (const key of Object.keys(faults) as (keyof FaultCounts)[]) faults[key] += result.faults[key];
  const { complaints } = result.score;
  console.log(
    `round ${round}  ${complaints.length === 0 ? 'ok' : 'FAILED'}  ${result.seconds.toFixed(1)} s  ` +
      `${result.score.streams} streams, ${result.score.records} records  ${describeFaults(result.faults)}`,
  );
  if (complaints.length === 0) continue;
  failed.push(...complaints);
  console.log(`${complaints.join('\n')}\nKept in ${roundFolder} and ${cloud.folder}.\n${result.logs}`);
  await cloud.command.kill();
  cloud = undefined;
}
await cloud?.command.stop();

const minutes = ((performance.now() - beganMs) / 60_000).toFixed(1);
console.log(
  `\n${count} rounds of seed ${seed} in ${minutes} min: ${total.streams} streams, ${total.records} records, ` +
    `${total.bytes} bytes; lost ${total.lost}, duplicated ${total.duplicated}, altered ${total.altered}\n` +
    `faults: ${describeFaults(faults)}`,
);
if (failed.length > 0) {
  console.log(`${failed.join('\n')}\nRepeat a round with: npm run soak -- --seed ${seed} --round K`);
  process.exitCode = 1;
} else {
  console.log('Everything came out as it went in.');
  await rm(folder, { recursive: true, force: true });
}

async function freshCloud(before: Cloud | undefined, round: number): Promise<Cloud> {
  if (before) {
    await before.command.stop();
    await rm(before.folder, { recursive: true, force: true });
  }
  const fresh = new Cloud(join(folder, `cloud-${round}`));
  await fresh.start();
  return fresh;
}

function parsed(): { rounds?: string; seed?: string; round?: string; help?: boolean } {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      options: { rounds: text, seed: text, round: text, help: { type: 'boolean', short: 'h' } },
    }).values;
  } catch (error) {
    console.error(`${(error as Error).message}. See npm run soak -- --help.`);
    process.exit(2);
  }
}
