/** What became of a gateway on a disk that failed. */
export interface DiskResult {
  /** Sentences; empty where all was as it must be. */
  complaints: string[];
  /** What it said of the disk, without repetitions: which steps met it. */
  met: string[];
  /** Records that the cloud has, and that gap records explain. */
  held: number;
  explained: number;
  log: string;
}

/** Messages of warnings and errors, each kind once. */
export function metOf(log: string): string[] {
  const said = log.matchAll(
    /(?:No space left|ENOSPC|Input\/output error|EIO|[Rr]ead-only file system|EROFS|ballast was deleted|moved aside|isn't written|can't be \w+ now|waits for room|FLEETLOG_\w+)/g,
  );
  return [...new Set([...said].map(([text]) => text))];
}
