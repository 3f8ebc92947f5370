export * from './types.js';
export * from './check.js';
export { choicesOf } from './unions.js';
