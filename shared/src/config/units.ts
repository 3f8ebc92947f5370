import { Type, type TString } from '../schema/index.js';

/** Quantities as people write them: `250ms`, `5s`, `30d`; `64MiB`, `10GB`. */

const durationUs: Record<string, number> = { us: 1, ms: 1e3, s: 1e6, min: 6e7, h: 3.6e9, d: 8.64e10 };
const byteUnits: Record<string, number> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

const durationPattern = `^\\d+(\\.\\d+)?\\s*(${Object.keys(durationUs).join('|')})$`;
const bytesPattern = `^\\d+(\\.\\d+)?\\s*(${Object.keys(byteUnits).join('|')})$`;

/** A text such as `250ms`; the unit is needed. Without a fallback the key stays undefined. */
export const Duration = (description: string, fallback?: string): TString =>
  Type.String({
    pattern: durationPattern,
    description,
    ...(fallback !== undefined && { default: fallback }),
    unit: 'duration such as 250ms, 5s, 2h',
  });

/** A text such as `64MiB`; the unit is needed. */
export const Bytes = (description: string, fallback?: string): TString =>
  Type.String({
    pattern: bytesPattern,
    description,
    ...(fallback !== undefined && { default: fallback }),
    unit: 'size such as 512KiB, 64MiB, 10GB',
  });

/** Milliseconds of a checked `Duration`. */
export function durationMs(text: string): number {
  return quantity(text, durationUs) / 1000;
}

/** Bytes of a checked `Bytes`. */
export function byteCount(text: string): number {
  return Math.round(quantity(text, byteUnits));
}

function quantity(text: string, units: Record<string, number>): number {
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]+)$/.exec(text);
  if (!match || !Object.hasOwn(units, match[2])) throw new RangeError(`not a quantity: ${text}`);
  return Number(match[1]) * units[match[2]];
}
