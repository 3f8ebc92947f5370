export * from './store.js';
export * from './keys.js';
export { emptyFolder } from './checkpoint.js';
export { storePages } from './pages.js';
export { isDamage, isDiskError, openRocksDb, type RocksDbOptions } from './rocksdb.js';
export { WalSync } from './wal-sync.js';
