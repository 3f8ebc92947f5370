import type { LogEntry } from '../log/log.js';

/** How far one partition is indexed. */
export interface Checkpoint {
  /** Offset of the first entry that isn't. */
  next: number;
  /** Entries that weren't readable. */
  skipped: number;
  /** Number of the last trim of the log that it has followed. */
  trims: number;
  /** Fingerprint of the entry before `next`: tells whether this is still the log that was indexed. */
  last?: { receiveTimeUs: number; tail: string };
}

/** The last bytes of a batch are its checksum. */
export const fingerprint = ({ receiveTimeUs, bytes }: LogEntry): NonNullable<Checkpoint['last']> => ({
  receiveTimeUs,
  tail: Buffer.from(bytes.subarray(-8)).toString('hex'),
});

export function isOf(entry: LogEntry, last: Checkpoint['last']): boolean {
  const now = fingerprint(entry);
  return now.receiveTimeUs === last?.receiveTimeUs && now.tail === last.tail;
}
