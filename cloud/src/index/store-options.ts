import type { RocksDbOptions } from '@fleetlog/shared/store';

/** Entries are small and come in order: a larger buffer only leaves more of them in the write-ahead log, uncompressed. */
const writeBufferBytes = 2 * 1024 * 1024;

export const indexStoreOptions = (path: string): RocksDbOptions => ({
  path,
  purpose: 'index folder',
  writeBufferBytes,
});
