export * from './ubx-packet.js';
export * from './ubx-times.js';
