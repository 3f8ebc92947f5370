import type { Log, LogEntry } from '../log/log.js';

/** What the log has beyond an offset. */
export interface LogPage {
  entries: LogEntry[];
  /** Offset of the first entry that wasn't there yet. */
  end: number;
  /** Whether all before `end` has been read. Its last offsets may be gone (trimmed, damaged): nothing comes of them. */
  isWhole: boolean;
}

/** How an indexer reads the log, which may be in another thread. */
export interface LogPages {
  /** The next entries from `offset` on; waits where there is nothing yet. Rejects with the signal's reason on abort. */
  next(partition: number, offset: number, signal: AbortSignal): Promise<LogPage>;
}

const entriesMaxDefault = 2048;
const bytesMax = 8 * 1024 * 1024;

export function pagesOf(log: Pick<Log, 'ends' | 'grew' | 'read'>, entriesMax = entriesMaxDefault): LogPages {
  const endOf = (partition: number): number =>
    log.ends().find((ends) => ends.partition === partition)?.next ?? 0;
  return {
    async next(partition, offset, signal) {
      while (endOf(partition) <= offset) await log.grew.wait(signal);
      const end = endOf(partition);
      const entries: LogEntry[] = [];
      let bytes = 0;
      for await (const entry of log.read(partition, offset)) {
        signal.throwIfAborted();
        entries.push(entry);
        bytes += entry.bytes.length;
        if (entries.length >= entriesMax || bytes >= bytesMax) return { entries, end, isWhole: false };
      }
      return { entries, end, isWhole: true };
    },
  };
}
