import { isoMicros } from '../export/iso-time.js';

export type ReplayFormat = 'candump' | 'ndjson';

/** `"time":"2026-11-05T10:00:00.123456Z"` is the first or the third field of a record. */
const jsonTime = /"time":"([^"]*?)\.(\d{6})Z"/;
const candumpTime = /^\((-?\d+)\.(\d{6})\)/;

/** Event time of a line of an export, µs; undefined where it has none. */
export function lineTimeUs(line: string, format: ReplayFormat): number | undefined {
  const match = (format === 'candump' ? candumpTime : jsonTime).exec(line);
  if (!match) return undefined;
  const seconds = format === 'candump' ? Number(match[1]) : Date.parse(`${match[1]}Z`) / 1000;
  return seconds * 1e6 + Number(match[2]);
}

/** The line with another time. */
export function withLineTime(line: string, format: ReplayFormat, timeUs: number): string {
  if (format === 'ndjson') return line.replace(jsonTime, `"time":"${isoMicros(timeUs)}"`);
  const seconds = Math.floor(timeUs / 1e6);
  const micros = String(timeUs - seconds * 1e6).padStart(6, '0');
  return line.replace(candumpTime, `(${seconds}.${micros})`);
}
