import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Index } from '../index/index.js';
import type { Log } from '../log/log.js';

const dayUs = 86_400_000_000;
/** A log that is younger says nothing of a day. */
const historyUsMin = 3_600_000_000;

/** What a folder and those in it take on disk; 0 where there is none. */
export async function folderBytes(folder: string): Promise<number> {
  let bytes = 0;
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const { size, blocks } = await stat(join(entry.parentPath, entry.name)).catch(() => ({
      size: 0,
      blocks: 0,
    }));
    bytes += Math.min(size, blocks * 512);
  }
  return bytes;
}

/**
 * Bytes of batches that came in a day, about: how many came in the last one, or since the log began where that is less,
 * at the average size of those that are kept. Undefined in the first hour of a log.
 */
export async function growthPerDay(
  { log, index }: { log: Log; index: Index },
  nowUs: number,
): Promise<number | undefined> {
  let batches = 0;
  let bytes = 0;
  for await (const summary of index.streams()) {
    batches += summary.batches;
    bytes += summary.bytes;
  }
  let came = 0;
  let oldestUs = nowUs;
  for (const { partition, first, next } of log.ends()) {
    came += next - (await log.offsetAt(partition, nowUs - dayUs));
    const [entry] = await log.get(partition, [await log.offsetAt(partition, 0)]);
    if (entry && first < next) oldestUs = Math.min(oldestUs, entry.receiveTimeUs);
  }
  const spanUs = Math.min(dayUs, nowUs - oldestUs);
  return batches === 0 || spanUs < historyUsMin ? undefined : (came * bytes * dayUs) / batches / spanUs;
}
