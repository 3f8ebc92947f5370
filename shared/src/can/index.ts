export * from './frames.js';
export * from './codec/index.js';
export { CandumpParser } from './candump.js';
export { CandumpFormatter } from './candump-format.js';
export { CANDUMP_LINE_BYTES_MAX, lineReason, lineResult, type LineResult } from './candump-grammar.js';
export { readCanIds } from './partial/read-ids.js';
export { decodeCanIds, everyByte, type CanPayload, type FrameChoice } from './partial/decode-ids.js';
