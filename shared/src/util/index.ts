export * from './clock.js';
export * from './ranges.js';
export * from './deferred.js';
