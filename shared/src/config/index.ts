export * from './units.js';
export * from './load.js';
