import type { LogEntry } from './log.js';

/** What an entry takes beside its bytes: small batches must not take many times the limit. */
const entryOverheadBytes = 400;

/**
 * The last entries of each partition, in memory: whoever follows the log closely, as the index does, reads nothing
 * from disk. Bounded in bytes over all partitions; the oldest appends go first.
 */
export class RecentEntries {
  private readonly byPartition: LogEntry[][];
  /** Appends in order: what has to go when there is no room. */
  private appends: { counts: Map<number, number>; bytes: number }[] = [];
  private bytes = 0;
  /** By partition: before it something was trimmed that may be in memory still. */
  private readonly staleBefore = new Map<number, number>();

  constructor(
    partitionCount: number,
    private readonly bytesMax: number,
  ) {
    this.byPartition = Array.from({ length: partitionCount }, () => []);
  }

  /** Takes the entries of one append. */
  add(entries: readonly LogEntry[]): void {
    const counts = new Map<number, number>();
    let bytes = 0;
    for (const entry of entries) {
      this.byPartition[entry.partition].push(entry);
      counts.set(entry.partition, (counts.get(entry.partition) ?? 0) + 1);
      bytes += entry.bytes.length + entryOverheadBytes;
    }
    this.appends.push({ counts, bytes });
    this.bytes += bytes;
    let gone = 0;
    while (this.bytes > this.bytesMax) {
      const oldest = this.appends[gone++];
      this.bytes -= oldest.bytes;
      for (const [partition, count] of oldest.counts) this.byPartition[partition].splice(0, count);
    }
    this.appends.splice(0, gone);
  }

  /** What is up to `last` isn't given any more. */
  forget(partition: number, last: number): void {
    this.staleBefore.set(partition, Math.max(last + 1, this.staleBefore.get(partition) ?? 0));
  }

  /** Entries from `offset` on; empty where the first of them isn't in memory. Offsets may have holes. */
  from(partition: number, offset: number): LogEntry[] {
    const entries = this.byPartition[partition];
    const least = Math.max(entries[0]?.offset ?? Infinity, this.staleBefore.get(partition) ?? 0);
    if (offset < least) return [];
    let [low, high] = [0, entries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (entries[middle].offset < offset) low = middle + 1;
      else high = middle;
    }
    return entries.slice(low);
  }
}
