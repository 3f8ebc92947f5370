import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Prng } from '#sim/vehicle/prng.js';
import type { Cloud } from '../chaos/cloud.js';
import { cutFile } from '../damage/damage.js';
import { PowerDisk, type FailingRequests } from '../power/power-disk.js';
import { until } from '../until.js';
import { metOf, type DiskResult } from './result.js';
import { patienceMs, Trial } from './trial.js';

/** What the gateway is at when its disk begins to give errors. */
export const failingKinds = ['write', 'evict', 'start', 'salvage', 'rescue', 'stop'] as const;

export interface FailingTrial {
  kind: (typeof failingKinds)[number];
  requests: FailingRequests;
  /** Batches that are durable before. */
  batches: number;
  /** How long it goes on with errors, if it doesn't end before, ms. */
  errorsMs: number;
}

const diskBytes = 64 * 1024 * 1024;

/** The trials of a seed, in their order: each kind in turn, reads and writes. */
export function failingTrial(seed: number, index: number): FailingTrial {
  const prng = new Prng(seed, index);
  const round = Math.floor(index / failingKinds.length);
  return {
    kind: failingKinds[index % failingKinds.length],
    requests: (index + round) % 2 === 0 ? 'writes' : 'reads',
    batches: Math.floor(prng.between(20, 150)),
    errorsMs: prng.between(100, 3000),
  };
}

/**
 * One gateway whose disk gives EIO for a while. Whatever becomes of its process, the disk is repaired as a boot does
 * it, and the gateway is started again: each record must be in the cloud, or be explained. Its source is a file, so
 * nothing may be missing that was only in memory.
 */
export async function playFailing(
  { kind, requests, batches, errorsMs }: FailingTrial,
  { id, folder, cloud }: { id: string; folder: string; cloud: Cloud },
): Promise<DiskResult> {
  await using disk = await PowerDisk.create(join(folder, 'disk'), diskBytes);
  await disk.powerOn('none');
  const trial = await Trial.prepare({
    id,
    folder,
    dataFolder: join(disk.path, 'data'),
    buffer: { minFree: '0B', ballast: '0B', ...(kind === 'evict' && { limit: '2MiB' }) },
    isLive: false,
  });
  const { command } = trial.gateway;
  const complaints: string[] = [];
  try {
    command.start();
    await trial.holds(batches);
    const isDamaged = kind === 'salvage' || kind === 'rescue';
    if (kind === 'start' || isDamaged) await command.kill();
    if (isDamaged) await cutFile(join(trial.gateway.dataFolder, 'buffer', 'CURRENT'), 0);
    if (kind === 'rescue') {
      command.start();
      await command.says(/moved aside/, patienceMs);
    }
    // What is read must come from the disk, not from the kernel's memory of it.
    if (requests === 'reads') await writeFile('/proc/sys/vm/drop_caches', '1');
    await disk.fail(requests);
    if (kind === 'stop') void command.stop();
    if (kind === 'start' || kind === 'salvage') command.start();
    const beginMs = performance.now();
    await until(
      'errors for a while',
      () => !command.running || performance.now() - beginMs >= errorsMs,
      patienceMs,
    );
    await disk.cutPower(() => command.kill());
    await disk.heal();
    await disk.repair();
    await disk.powerOn('none');
    command.start();
    await trial.settles();
    const exit = await command.stop();
    if (exit?.status !== 0) complaints.push(`stopped, it ended with ${exit?.status ?? exit?.signal}`);
    const [account] = await trial.accounts(cloud);
    if (account.unexplained !== 0) {
      complaints.push(`${account.unexplained} records are neither there nor explained`);
    }
    const { held, explained } = account;
    return { complaints, met: metOf(trial.log), held, explained, log: trial.log };
  } catch (error) {
    complaints.push(String(error));
    return { complaints, met: metOf(trial.log), held: 0, explained: 0, log: trial.log };
  } finally {
    await disk.heal();
    await command.kill();
  }
}
