import { randomBytes } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { silentLogger } from '@fleetlog/shared/log';
import { RangeSet, systemClock } from '@fleetlog/shared/util';
import { systemClockFacts } from '#gateway/buffer/clock-facts.js';
import { openBuffer } from '#gateway/buffer/open-buffer.js';
import { sealedBatch } from '../support/sealed-batches.js';
import { tempFolder } from '../support/temp-folder.js';
import type { BenchRow } from './row.js';

const batchBytes = 5300;
const batches = 6000;
/** Batches that the cloud hasn't acknowledged yet when the next one is put. */
const lagBatches = 8;
const streams = ['can0', 'gps0', 'imu0'];

/**
 * What a disk has to take for a byte of batches, from /proc/self/io: `write_bytes` counts the pages that were changed,
 * the last one of the log again with each commit; `wchar` the bytes that were handed to the system.
 */
export async function benchFlash(): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const perCommit of [1, 4, 32]) {
    for (const connected of [true, false]) rows.push(...(await measure(perCommit, connected)));
  }
  return rows;
}

async function measure(perCommit: number, connected: boolean): Promise<BenchRow[]> {
  await using folder = await tempFolder('flash');
  const path = join(folder.path, 'buffer');
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
  const before = await written();
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
  const after = await written();
  const payload = batches * batchBytes;
  const state = connected ? 'connected' : 'offline';
  const on = `${batches} batches of ${batchBytes} bytes, ${streams.length} streams, ${perCommit} in a commit`;
  const rows = [
    row(`${state}: pages written`, (after.pages - before.pages) / payload, on),
    row(`${state}: bytes written`, (after.bytes - before.bytes) / payload, on),
  ];
  if (!connected) rows.push(row('offline: bytes on disk', (await folderBytes(path)) / payload, on));
  return rows;
}

const row = (name: string, value: number, on: string): BenchRow => ({ name, value, unit: 'bytes/byte', on });

async function written(): Promise<{ pages: number; bytes: number }> {
  const text = await readFile('/proc/self/io', 'utf8');
  const field = (name: string): number => Number(new RegExp(`^${name}: (\\d+)`, 'm').exec(text)?.[1]);
  return { pages: field('write_bytes'), bytes: field('wchar') };
}

async function folderBytes(path: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(path)) bytes += (await stat(join(path, name))).size;
  return bytes;
}
