export * from './store.js';
export * from './keys.js';
export { openRocksDb, type RocksDbOptions } from './rocksdb.js';
