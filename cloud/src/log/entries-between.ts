import type { Log } from './log.js';

/** Entries that the log holds in `[from, to)`, but for those that are damaged. */
export async function entriesBetween(log: Log, partition: number, from: number, to: number): Promise<number> {
  const first = Math.max(from, log.ends()[partition].first);
  let entries = Math.max(0, to - first);
  if (entries === 0) return 0;
  for await (const [low, high] of log.removal?.removed(partition, first, to - 1) ?? []) {
    entries -= Math.min(high, to - 1) - Math.max(low, first) + 1;
  }
  return entries;
}
