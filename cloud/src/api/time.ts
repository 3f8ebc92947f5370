import { FleetlogError } from '@fleetlog/shared/errors';

const unitUs: Record<string, number> = {
  us: 1,
  ms: 1e3,
  s: 1e6,
  m: 6e7,
  min: 6e7,
  h: 3.6e9,
  d: 8.64e10,
  w: 6.048e11,
};
const duration = /^(\d+(?:\.\d+)?)(us|ms|s|m|min|h|d|w)$/;
const relative = /^(?:now)?([+-])(\d+(?:\.\d+)?)(ms|s|m|min|h|d|w)$/;
const unixSeconds = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?$/;
const iso =
  /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:([Zz])|([+-])(\d\d):?(\d\d))?)?$/;

/**
 * A moment as people write it, in µs since the Unix epoch: ISO 8601 (`2026-11-05T10:00:00.123456Z`; UTC where no zone
 * is given; a day alone is its midnight), Unix seconds (`1510761600.123456`), relative to now (`-15m`, `now`,
 * `now-2h`). Digits beyond µs are cut. Errors: FLEETLOG_USAGE.
 */
export function parseTime(text: string, nowUs: number): number {
  const timeUs = text === 'now' ? nowUs : (fromRelative(text, nowUs) ?? fromUnix(text) ?? fromIso(text));
  if (timeUs !== undefined) return timeUs;
  throw new FleetlogError(
    'FLEETLOG_USAGE',
    `"${text.slice(0, 60)}" isn't a time; write 2026-11-05T10:00:00Z, Unix seconds such as 1510761600.25, -15m or now.`,
  );
}

/** A length of time as people write it (`100ms`, `1s`, `1.5h`), in whole µs from 1 up. Errors: FLEETLOG_USAGE. */
export function parseDuration(text: string): number {
  const [, amount = '', unit = ''] = duration.exec(text) ?? [];
  const lengthUs = Number(amount) * (unitUs[unit] ?? NaN);
  if (Number.isSafeInteger(lengthUs) && lengthUs >= 1) return lengthUs;
  throw new FleetlogError(
    'FLEETLOG_USAGE',
    `"${text.slice(0, 60)}" isn't a length of time; write a number and us, ms, s, m, h, d or w, such as 100ms.`,
  );
}

function fromRelative(text: string, nowUs: number): number | undefined {
  const match = relative.exec(text);
  if (!match) return undefined;
  const [, sign, amount, unit] = match;
  return nowUs + (sign === '-' ? -1 : 1) * Math.round(Number(amount) * unitUs[unit]);
}

function fromUnix(text: string): number | undefined {
  const match = unixSeconds.exec(text);
  if (!match) return undefined;
  const [, sign, seconds, fraction = ''] = match;
  // Digit by digit: 1510761600.123457 as a double times 10^6 isn't a whole number.
  const timeUs = Number(seconds) * 1e6 + micros(fraction);
  return sign && timeUs > 0 ? -timeUs : timeUs;
}

function fromIso(text: string): number | undefined {
  const match = iso.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = ''] = match;
  const [, , , , , , , , , sign, zoneHours = '0', zoneMinutes = '0'] = match;
  const fields = [year, month, day, hour, minute, second].map(Number);
  const date = new Date(0);
  date.setUTCFullYear(fields[0], fields[1] - 1, fields[2]);
  date.setUTCHours(fields[3], fields[4], fields[5]);
  const back = [
    date.getUTCFullYear(),
    date.getUTCMonth() + 1,
    date.getUTCDate(),
    date.getUTCHours(),
    date.getUTCMinutes(),
    date.getUTCSeconds(),
  ];
  if (back.some((value, i) => value !== fields[i])) return undefined; // 30 February, 25:00
  if (Number(zoneHours) > 23 || Number(zoneMinutes) > 59) return undefined;
  const zoneUs = (Number(zoneHours) * 60 + Number(zoneMinutes)) * 6e7 * (sign === '-' ? -1 : 1);
  return date.getTime() * 1000 + micros(fraction) - zoneUs;
}

const micros = (fraction: string): number => Number(fraction.padEnd(6, '0').slice(0, 6));
