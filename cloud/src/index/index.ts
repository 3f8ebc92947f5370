export type * from './types.js';
export { indexOver, openIndex, type IndexOptions } from './rocksdb-index.js';
export { openIndexInThread } from './thread/index-thread.js';
export { loadTrim, trimNote } from './trim-note.js';
