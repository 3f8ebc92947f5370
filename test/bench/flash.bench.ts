import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { silentLogger } from '@fleetlog/shared/log';
import { RangeSet, systemClock } from '@fleetlog/shared/util';
import { systemClockFacts } from '#gateway/buffer/clock-facts.js';
import { openBuffer } from '#gateway/buffer/open-buffer.js';
import { LoopDisk } from '../support/loop-disk.js';
import { sealedBatch } from '../support/sealed-batches.js';
import { tempFolder } from '../support/temp-folder.js';
import type { BenchRow } from './row.js';

/** Of what is measured; with its header a batch has 111 bytes more. */
const batchBytes = 5300;
const batches = 6000;
/** Batches that the cloud hasn't acknowledged yet when the next one is put. */
const lagBatches = 8;
const diskBytes = 512 * 2 ** 20;
const streams = ['can0', 'gps0', 'imu0'];

/**
 * What a disk has to take for a byte of batches: `wchar` of /proc/self/io counts the bytes that were handed to the
 * system, `write_bytes` the pages that were changed, the last one of the log again with each commit. Where a disk of its
 * own can be mounted (root), that disk's counter says what reached it, the file system's journal included; ext4 with
 * `fast_commit`, which is an option of `mkfs.ext4` and `tune2fs`, beside ext4 as it comes.
 */
export async function benchFlash(): Promise<BenchRow[]> {
  const why = await LoopDisk.whyNot();
  if (why !== undefined) console.log(`flash     blocks aren't counted: ${why}`);
  const rows: BenchRow[] = [];
  for (const perCommit of [1, 4, 32]) {
    for (const connected of [true, false]) {
      if (why !== undefined) {
        await using folder = await tempFolder('flash');
        rows.push(...(await measure(folder.path, perCommit, connected)));
        continue;
      }
      await using disk = await LoopDisk.mount(diskBytes);
      rows.push(...(await measure(disk.path, perCommit, connected, () => disk.writtenBytes())));
      await using fast = await LoopDisk.mount(diskBytes, ['fast_commit']);
      const all = await measure(fast.path, perCommit, connected, () => fast.writtenBytes());
      const blocks = all.filter(({ name }) => name.endsWith(reachedTheDisk));
      rows.push(...blocks.map((row) => ({ ...row, name: `${row.name}, fast_commit` })));
    }
  }
  return rows;
}

const reachedTheDisk = 'written by ext4';

async function measure(
  folder: string,
  perCommit: number,
  connected: boolean,
  blockBytes?: () => number,
): Promise<BenchRow[]> {
  const path = join(folder, 'buffer');
  const never = { commitIntervalMs: 3_600_000, commitBytes: 1e9, queueBytes: 1e9 };
  const buffer = await openBuffer({
    gateway: 'bench',
    path,
    ...never,
    writeBufferBytes: 4 * 1024 * 1024,
    clock: systemClock,
    clockFacts: systemClockFacts(systemClock),
    logger: silentLogger,
  });
  await using _ = buffer;
  const before = await written(blockBytes);
  for (let i = 0; i < batches; i++) {
    const batch = sealedBatch('x', { bytes: batchBytes, position: 'x'.repeat(32) });
    const payload = { ...batch.payload, payload: randomBytes(batchBytes) };
    await buffer.put(streams[i % streams.length], { ...batch, payload });
    if ((i + 1) % perCommit > 0) continue;
    await buffer.flush();
    if (!connected) continue;
    for (const { stream, durableNext } of buffer.streams()) {
      if (durableNext > lagBatches)
        await buffer.acknowledge(stream, new RangeSet([[0, durableNext - 1 - lagBatches]]));
    }
  }
  await buffer.flush();
  const after = await written(blockBytes);
  // Batches as they go over the wire: what MQTT calls its payload.
  const payload = buffer.streams().reduce((sum, { bytesPut }) => sum + bytesPut, 0);
  const state = connected ? 'connected' : 'offline';
  const on = `${batches} batches of ${batchBytes} bytes, ${streams.length} streams, ${perCommit} in a commit`;
  const rows = [
    row(`${state}: pages written`, (after.pages - before.pages) / payload, on),
    row(`${state}: bytes written`, (after.bytes - before.bytes) / payload, on),
  ];
  if (blockBytes) rows.push(row(`${state}: ${reachedTheDisk}`, (after.blocks - before.blocks) / payload, on));
  if (!connected) rows.push(row('offline: bytes on disk', (await folderBytes(path)) / payload, on));
  return rows;
}

const row = (name: string, value: number, on: string): BenchRow => ({ name, value, unit: 'bytes/byte', on });

async function written(blockBytes?: () => number): Promise<{ pages: number; bytes: number; blocks: number }> {
  if (blockBytes) execFileSync('sync');
  const text = await readFile('/proc/self/io', 'utf8');
  const field = (name: string): number => Number(new RegExp(`^${name}: (\\d+)`, 'm').exec(text)?.[1]);
  return { pages: field('write_bytes'), bytes: field('wchar'), blocks: blockBytes?.() ?? 0 };
}

async function folderBytes(path: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(path)) bytes += (await stat(join(path, name))).size;
  return bytes;
}
