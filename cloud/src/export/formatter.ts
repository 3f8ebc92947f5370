import type { StreamKind } from '@fleetlog/shared/batch';
import type { Records } from './records.js';

/** Writes records in one format. One object per export. */
export interface Formatter {
  readonly kinds: readonly StreamKind[];
  /** The records `[from, to)` of a batch; a view that holds until the next call. */
  format(records: Records, from: number, to: number): Uint8Array;
}
