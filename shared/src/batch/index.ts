export * from './types.js';
export * from './envelope.js';
export { checkCborShape } from './cbor-shape.js';
