import type { ReplayFormat } from './line-time.js';

const targetForm = /^(candump:.+|(udp|mqtts?):\/\/.+|v?can\d+)$/;

/** `--to` is an end of time as well: a target has a form that no time has. */
export const isTarget = (text: string): boolean => targetForm.test(text);

export const targetFormat = (target: string): ReplayFormat =>
  /^(candump:|v?can\d)/.test(target) ? 'candump' : 'ndjson';
