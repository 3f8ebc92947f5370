import { createRequire } from 'node:module';
import { FleetlogError } from '../errors/index.js';

/** The part of `rocksdb-native` that the store uses; the package ships no types. */
export interface NativeDatabase {
  ready(): Promise<void>;
  close(options?: { force?: boolean }): Promise<void>;
  get(key: Uint8Array): Promise<Uint8Array | null>;
  read(options?: { capacity?: number }): NativeReadBatch;
  write(options?: { capacity?: number }): NativeWriteBatch;
  iterator(
    range: { gte: Uint8Array; lt: Uint8Array },
    options: { reverse?: boolean; limit?: number; values?: boolean; capacity?: number },
  ): NativeScan;
  flush(): Promise<void>;
  compactRange(
    // Of an end that is a buffer the binding's wrapper takes the options; the whole range is what is left.
    start: null,
    end: null,
    options: {
      blobGarbageCollectionPolicy: number;
      blobGarbageCollectionAgeCutoff: number;
      bottommostLevelCompaction: number;
    },
  ): Promise<void>;
  currentWalFile(): Promise<{ path: string }>;
  getProperty(name: string): Promise<string>;
}

export interface NativeScan extends AsyncIterable<{ key: Uint8Array; value: Uint8Array | null }> {
  destroy(): void;
}

interface NativeReadBatch {
  get(key: Uint8Array): Promise<Uint8Array | null>;
  tryFlush(): void;
  destroy(): void;
}

interface NativeWriteBatch {
  tryPut(key: Uint8Array, value: Uint8Array): void;
  tryDelete(key: Uint8Array): void;
  tryDeleteRange(start: Uint8Array, end: Uint8Array): void;
  flush(): Promise<void>;
  destroy(): void;
}

type NativeConstructor = new (path: string, options: Record<string, unknown>) => NativeDatabase;

/** Loads the native library; says what the machine lacks where it doesn't load. */
export function loadRocksDb(): NativeConstructor {
  try {
    return createRequire(import.meta.url)('rocksdb-native') as NativeConstructor;
  } catch (cause) {
    throw new FleetlogError(
      'FLEETLOG_PLATFORM',
      `RocksDB doesn't load on this machine (${process.platform} ${process.arch}): it needs a 64-bit system with ` +
        'glibc 2.34 or newer and libatomic1 (Debian 12, Ubuntu 22.04, Raspberry Pi OS bookworm); ' +
        `"apt install libatomic1" may be all that is missing. ${cause instanceof Error ? cause.message.split('\n')[0] : ''}`,
      { cause },
    );
  }
}
