import { join } from 'node:path';
import { Prng } from '#sim/vehicle/prng.js';
import type { Cloud } from '../chaos/cloud.js';
import { cutFile } from '../damage/damage.js';
import { SmallDisk } from '../small-disk.js';
import { metOf, type DiskResult } from './result.js';
import { Trial } from './trial.js';

/** What the gateway is at when somebody else takes all space but a little. */
export const fullKinds = ['write', 'evict', 'start', 'salvage', 'first start', 'stop'] as const;

export interface FullTrial {
  kind: (typeof fullKinds)[number];
  /** Left of the disk, bytes. */
  leftBytes: number;
  /** The gateway keeps a ballast and some space free; without, each write that wants space fails. */
  hasReserve: boolean;
}

const diskBytes = 28 * 1024 * 1024;
const pageBytes = 4096;

/** The trials of a seed, in their order: each kind in turn, with little left more often than much. */
export function fullTrial(seed: number, index: number): FullTrial {
  const prng = new Prng(seed, index);
  const pages = Math.floor(2 ** prng.between(0, 8)) - 1;
  return {
    kind: fullKinds[index % fullKinds.length],
    leftBytes: pages * pageBytes,
    hasReserve: prng.chance(0.5),
  };
}

/** One gateway that lives through a full disk. */
export async function playFull(
  { kind, leftBytes, hasReserve }: FullTrial,
  { id, folder, cloud }: { id: string; folder: string; cloud: Cloud },
): Promise<DiskResult> {
  await using disk = await SmallDisk.mount(diskBytes);
  const isLive = kind === 'write' || kind === 'evict';
  const trial = await Trial.prepare({
    id,
    folder,
    dataFolder: join(disk.path, 'data'),
    buffer: {
      minFree: hasReserve ? '512KiB' : '0B',
      ballast: hasReserve ? '256KiB' : '0B',
      ...(kind === 'evict' && { limit: '2MiB' }),
    },
    isLive,
  });
  const { command } = trial.gateway;
  const complaints: string[] = [];
  try {
    if (kind === 'first start') {
      await disk.fill(leftBytes);
    } else {
      command.start();
      await trial.holds(kind === 'evict' ? 150 : 60);
      if (kind === 'start' || kind === 'salvage') await command.kill();
      if (kind === 'salvage') await cutFile(join(trial.gateway.dataFolder, 'buffer', 'CURRENT'), 0);
      await disk.fill(leftBytes);
      if (kind === 'stop') await command.stop();
    }
    if (isLive) await trial.metFullDisk();
    else {
      if (kind !== 'stop') command.start();
      // It may say that it can't start, and end: whoever looks after services starts it again.
      await trial.metFullDisk().catch(() => undefined);
    }
    await disk.clear();
    if (isLive && !command.running) complaints.push(`it ended with ${command.exitStatus}`);
    if (!command.running) command.start();
    await trial.settles();
    if (isLive && command.starts > 1) complaints.push('it was started again');
    const exit = await command.stop();
    if (exit?.status !== 0) complaints.push(`stopped, it ended with ${exit?.status ?? exit?.signal}`);
    const accounts = await trial.accounts(cloud);
    for (const [at, { unexplained, causes }] of accounts.entries()) {
      const { stream } = trial.gateway.expectations[at];
      if (unexplained !== 0)
        complaints.push(`${stream}: ${unexplained} records are neither there nor explained`);
      const wrong = causes.filter((cause) => cause !== 'buffer-full');
      if (wrong.length > 0) complaints.push(`${stream}: gaps because of ${wrong.join(', ')}`);
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
