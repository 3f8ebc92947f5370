import { InvalidArgumentError } from 'commander';
import { durationMs } from '@fleetlog/shared/config';
import { LOOP_M } from '../vehicle/physics/road.js';
import type { Stretch } from '../vehicle/stretches.js';

/** Values of options as people write them. Each throws commander's InvalidArgumentError with a sentence. */

export function parseSeed(text: string): number {
  const seed = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(seed))
    throw new InvalidArgumentError('Give a whole number.');
  return seed;
}

/** Microseconds. */
export function parseDuration(text: string): number {
  let ms: number;
  try {
    ms = durationMs(text);
  } catch {
    throw new InvalidArgumentError('Give a number with its unit, such as 60s, 5min or 2h.');
  }
  if (ms <= 0 || ms > 86_400_000) throw new InvalidArgumentError('Give more than 0 and at most 24h.');
  return Math.round(ms * 1000);
}

/** Microseconds since the Unix epoch. */
export function parseTime(text: string): number {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Date.parse(text) / 1000;
  if (!(seconds >= 0 && seconds < 9e9)) {
    throw new InvalidArgumentError('Give a time such as 2026-03-01T08:00:00Z, or Unix seconds.');
  }
  return Math.round(seconds * 1e6);
}

export function parseFactor(text: string): number {
  return numberWithin(text, 0.1, 4);
}

export function parseFixRate(text: string): number {
  return numberWithin(text, 1, 10);
}

export function parseSensorRate(text: string): number {
  return numberWithin(text, 1, 10_000);
}

export type SpokenFormat = 'candump' | 'nmea' | 'ubx' | 'imu';

export function parseFormat(text: string): SpokenFormat {
  if (text !== 'candump' && text !== 'nmea' && text !== 'ubx' && text !== 'imu') {
    throw new InvalidArgumentError('Give candump, nmea, ubx or imu.');
  }
  return text;
}

/** Adds `250m-450m` to the stretches given before. */
export function parseStretch(text: string, before: readonly Stretch[] = []): Stretch[] {
  const [, from, to] = /^(\d+(?:\.\d+)?)m-(\d+(?:\.\d+)?)m$/.exec(text) ?? [];
  const stretch = { fromM: Number(from), toM: Number(to) };
  if (!(stretch.fromM < stretch.toM))
    throw new InvalidArgumentError('Give a stretch of road such as 250m-450m.');
  return [...before, stretch];
}

/** Metres. */
export function parseLap(text: string): number {
  const m = Number(/^(\d+)m$/.exec(text)?.[1]);
  if (!(m >= 100 && m <= LOOP_M)) throw new InvalidArgumentError(`Give 100m to ${LOOP_M}m.`);
  return m;
}

function numberWithin(text: string, low: number, high: number): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= low && value <= high)) {
    throw new InvalidArgumentError(`Give a number from ${low} to ${high}.`);
  }
  return value;
}
