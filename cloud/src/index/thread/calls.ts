import type { KeyRange, ScanOptions, StoreOperation } from '@fleetlog/shared/store';
import type { LogLevel } from '@fleetlog/shared/log';
import type { Checkpoint } from '../checkpoint.js';
import type { IndexTrim } from '../types.js';
import type { PackedPage, PackedPieces } from './packed.js';
import type { Moved } from './rpc.js';

/** What the thread of the index can be asked for. */
export interface ThreadCalls {
  open(path: string): Promise<void>;
  getMany(keys: PackedPieces): Promise<Moved<PackedPieces>>;
  /** Keys and values by turns. */
  page(range: KeyRange, options: ScanOptions): Promise<Moved<PackedPieces>>;
  write(operations: readonly StoreOperation[]): Promise<void>;
  diskBytes(): Promise<number>;
  follow(checkpoints: readonly Checkpoint[]): Promise<void>;
  trim(partition: number, trim: IndexTrim): Promise<void>;
  stop(): Promise<void>;
  close(): Promise<void>;
}

/** What the thread asks its parent for. */
export interface ParentCalls {
  /** The next batches of the log; answered when there are any. */
  logPage(partition: number, offset: number): Promise<Moved<PackedPage>>;
  progress(progress: Progress): Promise<void>;
  say(level: Exclude<LogLevel, 'silent'>, facts: object, message: string): Promise<void>;
}

export interface Progress {
  checkpoints: readonly Readonly<Checkpoint>[];
  /** Boots that were written to since the last one: of which gateway, and whether more than its length changed. */
  boots: [gateway: string, changed: boolean][];
}
