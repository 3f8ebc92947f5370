/**
 * An ordered map of bytes to bytes on disk, with atomic writes and an explicit barrier for durability.
 *
 * `write` returns when the change is visible and survives the death of the process; only what was written before a
 * `sync` that resolved survives the loss of power. Buffers that are passed in must not be changed until the call
 * resolves; buffers that come out belong to the caller.
 */
export interface OrderedStore extends AsyncDisposable {
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  /** Several at once, in the order asked for. */
  getMany(keys: Uint8Array[]): Promise<(Uint8Array | undefined)[]>;
  /** Entries in the order of keys (bytewise). Ends early where the consumer stops. */
  entries(range: KeyRange, options?: ScanOptions): AsyncIterable<StoreEntry>;
  /** All or nothing. Errors: FLEETLOG_STORE_FULL, FLEETLOG_STORE. */
  write(operations: readonly StoreOperation[]): Promise<void>;
  /**
   * Makes all that was written before durable. After a failed sync the next one first flushes everything that is in
   * memory, since a disk that failed once may call a later sync of the same pages good (see `shared/decisions`).
   * Errors: FLEETLOG_SYNC.
   */
  sync(): Promise<void>;
  /** Bytes of the files, write-ahead log included, about. */
  diskBytes(): Promise<number>;
  /**
   * Frees what removed entries take. By itself only what costs little: values in files of their own go with the last of
   * a file. With `rewriteShare` what is held in the oldest part of these files (0 to 1) is written again, to free what
   * is removed beside it; it takes twice its space until that is done. Errors: as `write`.
   */
  compact(options?: { rewriteShare?: number }): Promise<void>;
  /**
   * Makes `folder`, on the same disk, the store as it is at one moment: for a reader, or a copy. What was written before
   * the call is in it; writers wait for as long as it takes to link the files. Whoever asked removes it. Errors: as
   * `write`.
   */
  checkpoint(folder: string): Promise<void>;
  close(): Promise<void>;
}

/** `gte` inclusive, `lt` exclusive. */
export interface KeyRange {
  gte: Uint8Array;
  lt: Uint8Array;
}

export interface ScanOptions {
  reverse?: boolean;
  limit?: number;
  /** Only keys are read; values come as empty arrays. */
  keysOnly?: boolean;
  /** Entries fetched per crossing into the store; more is faster and holds more memory. */
  prefetch?: number;
}

export interface StoreEntry {
  key: Uint8Array;
  value: Uint8Array;
}

export type StoreOperation =
  | { type: 'put'; key: Uint8Array; value: Uint8Array }
  | { type: 'delete'; key: Uint8Array }
  | { type: 'delete-range'; gte: Uint8Array; lt: Uint8Array };
