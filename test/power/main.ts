import { randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { moments } from '../support/power/moments.js';
import { noPowerToCut } from '../support/power/power-disk.js';
import { emptyPowerScore, playSeries } from '../support/power/series.js';

const help = `npm run test:power -- [--cuts 200] [--seed N] [--first K] [--torn | --kill] [--without-sync]

Cuts the power of a gateway, at random moments: while it has no link, while the cloud acknowledges, while the buffer
gives up the oldest, while it starts, while it salvages. The gateway's disk is real but for its cache: what wasn't
flushed is gone. After each cut the gateway must start by itself, and all that it had called durable must be there, or
in the cloud, or be listed as given up for want of space. Prints a line a cut and the score; exit status 1 where
anything is lost. Needs root, loop devices, nbdkit, nbdfuse (libnbd-bin) and fuse3.

  --cuts N         (200)
  --seed N         of all that is random; printed, so that a run can be played again
  --first K        begin with this cut, on a new disk
  --torn           at each second cut a random half of the unflushed sectors reaches the disk
  --kill           the power stays, and the gateway alone is killed (kill -9): what it wrote is there, synced or not
  --without-sync   the control: barriers of the gateway do nothing, so that it must lose data; status 1 where it doesn't

Examples:
  npm run test:power -- --cuts 20
  npm run test:power -- --seed 20261123 --first 40 --cuts 10
  npm run test:power -- --without-sync --cuts 3
`;

const given = parsed();
if (given.help) {
  console.log(help);
  process.exit(0);
}
const seed = Number(given.seed ?? randomInt(2 ** 31));
const cuts = Number(given.cuts ?? 200);
const first = Number(given.first ?? 0);
const withoutSync = given['without-sync'] ?? false;
if (![seed, cuts, first].every((value) => Number.isSafeInteger(value) && value >= 0)) {
  console.error('Give --cuts, --seed and --first whole numbers.');
  process.exit(2);
}
const reason = noPowerToCut();
if (reason !== undefined) {
  console.error(`No power can be cut here: it ${reason}.`);
  process.exit(2);
}

// With us end the processes that we started, and the disk is unmounted.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

/** One disk and one gateway live through this many cuts. */
const CUTS_PER_SERIES = 10;

const folder = await mkdtemp(join(tmpdir(), 'fleetlog-power-'));
console.log(`seed ${seed}, ${cuts} cuts, in ${folder}`);
const score = emptyPowerScore();
const beganMs = performance.now();
for (let at = first; at < first + cuts;) {
  const count = withoutSync ? 1 : Math.min(CUTS_PER_SERIES - (at % CUTS_PER_SERIES), first + cuts - at);
  const known = score.complaints.length;
  const path = join(folder, `series-${at}`);
  await playSeries(
    {
      seed,
      first: at,
      cuts: count,
      folder: path,
      withoutSync,
      tornShare: given.torn ? 0.5 : 0,
      isKill: given.kill ?? false,
      onCut: (index, { kind, loss }, result) => {
        const bad = result.failedStart !== undefined || result.complaints.length > 0;
        console.log(
          `cut ${index}  ${bad ? 'LOST' : 'ok'}  ${kind}${typeof loss === 'string' ? '' : ', torn'}  at ${result.moments.join(', ') || 'rest'}; ${result.acknowledged} records called durable` +
            `${result.leftToCloud > 0 ? `, ${result.leftToCloud} batches in the cloud` : ''}`,
        );
        if (bad && !withoutSync) console.log(result.log);
      },
    },
    score,
  );
  for (const complaint of score.complaints.slice(known)) console.log(complaint);
  if (score.complaints.length === known || withoutSync) await rm(path, { recursive: true, force: true });
  at += count;
}

const minutes = ((performance.now() - beganMs) / 60_000).toFixed(1);
console.log(
  `\n${score.cuts} cuts of seed ${seed} in ${minutes} min: ${score.acknowledged} records called durable; lost ` +
    `${score.lostRecords} (${score.lostBatches} batches), failed starts ${score.failedStarts}\n` +
    `In the middle of: ${moments.map((moment) => `${moment} ${score.moments[moment]}`).join(', ')}`,
);
if (withoutSync) {
  console.log(
    score.lostBatches > 0 ? 'Without barriers data are lost, as they must be.' : 'The control lost nothing.',
  );
  process.exitCode = score.lostBatches > 0 ? 0 : 1;
} else if (score.complaints.length > 0) {
  console.log(`Kept in ${folder}. Play a series again with: npm run test:power -- --seed ${seed} --first K`);
  process.exitCode = 1;
} else {
  console.log('Nothing that was durable is lost.');
}
if (process.exitCode !== 1) await rm(folder, { recursive: true, force: true });

function parsed(): {
  cuts?: string;
  seed?: string;
  first?: string;
  torn?: boolean;
  kill?: boolean;
  'without-sync'?: boolean;
  help?: boolean;
} {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      options: {
        cuts: text,
        seed: text,
        first: text,
        torn: flag,
        kill: flag,
        'without-sync': flag,
        help: { ...flag, short: 'h' },
      },
    }).values;
  } catch (error) {
    console.error(`${(error as Error).message}. See npm run test:power -- --help.`);
    process.exit(2);
  }
}
