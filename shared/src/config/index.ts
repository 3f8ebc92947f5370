export * from './units.js';
export * from './load.js';
export * from './tls-files.js';
