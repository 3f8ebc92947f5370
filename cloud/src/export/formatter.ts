import type { StreamKind } from '@fleetlog/shared/batch';
import type { StreamRef } from './merge-streams.js';
import type { Records } from './records.js';

/** Writes records in one format. One object per export. */
export interface Formatter {
  readonly kinds: readonly StreamKind[];
  /** The records `[from, to)` of a batch, behind what the format begins with; a view that holds until the next call. */
  format(records: Records, from: number, to: number, source: StreamRef): Uint8Array;
  /** What comes behind the last record; called once. */
  end?(): Uint8Array;
  /**
   * After `end`: the bytes that a file should begin with, instead of those that it began with when nobody knew its
   * size and its last record. Whoever can't go back reads the file all the same.
   */
  finalHead?(): Uint8Array;
}
