export type * from './types.js';
export { openIndex, type IndexOptions } from './rocksdb-index.js';
