import { open, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Prng } from '#sim/vehicle/prng.js';
import type { Cloud } from '../chaos/cloud.js';
import { filesOf } from '../damage/damage.js';
import { metOf, type DiskResult } from './result.js';
import { Trial } from './trial.js';

/** Whose file is damaged while the gateway works with it. */
export const damagingKinds = ['table', 'blob', 'log', 'manifest', 'mark', 'any'] as const;
const ways = ['bit', 'cut', 'gone'] as const;

const endings = {
  table: /\.sst$/,
  blob: /\.blob$/,
  log: /\.log$/,
  manifest: /^MANIFEST/,
  any: /^\d+\.(sst|blob|log)$|^(MANIFEST|CURRENT|OPTIONS)/,
} as const;

export interface DamagingTrial {
  kind: (typeof damagingKinds)[number];
  way: (typeof ways)[number];
  /** Batches that are durable before the first damage. */
  batches: number;
  /** Each 0 to 1: which of the files, and where in it. */
  places: { file: number; at: number }[];
  /** Killed behind the damage, or stopped in order. */
  isKilled: boolean;
}

/** The trials of a seed, in their order: each kind in turn, each in each way. */
export function damagingTrial(seed: number, index: number): DamagingTrial {
  const prng = new Prng(seed, index);
  const round = Math.floor(index / damagingKinds.length);
  return {
    kind: damagingKinds[index % damagingKinds.length],
    way: ways[(index + round) % ways.length],
    batches: Math.floor(prng.between(15, 60)),
    places: Array.from({ length: 3 }, () => ({ file: prng.unit(), at: prng.unit() })),
    isKilled: prng.chance(0.5),
  };
}

/**
 * One gateway whose buffer's files are damaged under its hands. It must go on by itself, and when all has come to the
 * cloud each record must be there or be explained.
 */
export async function playDamaging(
  { kind, way, batches, places, isKilled }: DamagingTrial,
  { id, folder, cloud }: { id: string; folder: string; cloud: Cloud },
): Promise<DiskResult> {
  const dataFolder = join(folder, 'data');
  const trial = await Trial.prepare({ id, folder, dataFolder, isLive: false });
  const { command } = trial.gateway;
  const database = join(dataFolder, 'buffer');
  const complaints: string[] = [];
  try {
    command.start();
    for (const [round, place] of places.entries()) {
      await trial.holds(batches * (round + 1));
      const files = kind === 'mark' ? [`${database}.mark`] : await filesOf(database, endings[kind]);
      const path = files[Math.floor(place.file * files.length)];
      command.log += `--- damage: ${path === undefined ? 'nothing' : basename(path)} ${way}\n`;
      // It may have removed the file since.
      if (path !== undefined) await damaged(path, way, place.at).catch(() => undefined);
    }
    await trial.settles();
    if (command.starts > 1) complaints.push('it was started again');
    const exit = await (isKilled ? command.kill() : command.stop());
    if (!isKilled && exit?.status !== 0) {
      complaints.push(`stopped, it ended with ${exit?.status ?? exit?.signal}`);
    }
    const accounts = await trial.accounts(cloud);
    for (const [at, { unexplained, causes }] of accounts.entries()) {
      // Nobody may know how many were in a batch whose neighbours are gone; that it is missing is told.
      if (unexplained === 0 || (Number.isNaN(unexplained) && causes.includes('corrupt'))) continue;
      const { stream } = trial.gateway.expectations[at];
      complaints.push(
        `${stream}: ${unexplained} records are neither there nor explained (${causes.join(', ')})`,
      );
    }
    const total = (of: 'held' | 'explained'): number =>
      accounts.reduce((sum, account) => sum + account[of], 0);
    return {
      complaints,
      met: metOf(trial.log),
      held: total('held'),
      explained: total('explained'),
      log: trial.log,
    };
  } catch (error) {
    complaints.push(String(error));
    return { complaints, met: metOf(trial.log), held: 0, explained: 0, log: trial.log };
  } finally {
    await command.kill();
  }
}

/** In the file itself: whoever has it open meets it. */
async function damaged(path: string, way: (typeof ways)[number], share: number): Promise<void> {
  if (way === 'gone') return await rm(path);
  await using file = await open(path, 'r+');
  const { size } = await file.stat();
  const at = Math.floor(share * size);
  if (way === 'cut') {
    await file.truncate(at);
    return;
  }
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, at);
  byte[0] ^= 0x10;
  await file.write(byte, 0, 1, at);
}
