import type { LogEntry } from '../log/log.js';

/** A partition in the hands of a member. */
export interface Lease {
  readonly partition: number;
  /** Offset of the first entry that the member hasn't been given. */
  next: number;
  /** Offset behind the last entry that was read; in order of arrival it is given as it is read. */
  read: number;
  /** When that entry was received, µs. */
  readTimeUs: number;
  /** What the member has said is finished, durably. */
  committed: number;
  /** Nothing more is given: the partition is on its way to another member. */
  revoked: boolean;
  /** The log's end when the member came: what `until: end` goes to. */
  end: number;
  /** Position that the member was told last, by a batch or otherwise. */
  told: number;
  /** A read of the log under way; it holds nothing open. */
  reading: AsyncIterator<LogEntry> | undefined;
  /** Where that read ends. */
  readTo: number;
}

export const newLease = (partition: number, next: number, end: number): Lease => ({
  partition,
  next,
  read: next,
  readTimeUs: -Infinity,
  committed: next,
  revoked: false,
  end,
  told: next,
  reading: undefined,
  readTo: next,
});
