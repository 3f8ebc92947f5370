/** NaN where the field is empty, missing or no number. */
export function numberOf(field: string | undefined): number {
  return field !== undefined && /^[-+]?(\d+\.?\d*|\.\d+)$/.test(field) ? Number(field) : NaN;
}

/** `ddmm.mmmm` and the hemisphere, as degrees. */
export function degreesOf(field: string | undefined, hemisphere: string | undefined): number {
  const value = numberOf(field);
  const degrees = Math.trunc(value / 100);
  const minutes = value - 100 * degrees;
  const angle = degrees + minutes / 60;
  const limit = hemisphere === 'N' || hemisphere === 'S' ? 90 : 180;
  if (!(minutes < 60 && value >= 0 && angle <= limit)) return NaN;
  if (hemisphere === 'S' || hemisphere === 'W') return -angle;
  return hemisphere === 'N' || hemisphere === 'E' ? angle : NaN;
}

const metresPerSecondOfKnot = 1852 / 3600;

export const fromKnots = (field: string | undefined): number => numberOf(field) * metresPerSecondOfKnot;

/** Seconds of the day of `hhmmss.sss`. */
export function secondsOfDay(field: string | undefined): number {
  const match = /^([01]\d|2[0-3])([0-5]\d)([0-5]\d|60)(\.\d*)?$/.exec(field ?? '');
  if (!match) return NaN;
  const whole = Number(match[1]) * 3600 + Number(match[2]) * 60 + Number(match[3]);
  return whole + Number(match[4]?.slice(1) ? match[4] : 0);
}

/** A two-digit year from 80 on is of the last century: a receiver that doesn't know the date yet. */
const yearOfCenturyMax = 79;

/** Seconds since 1970 of the day `ddmmyy`. */
export function secondsOfShortDate(field: string | undefined): number {
  const match = /^(\d\d)(\d\d)(\d\d)$/.exec(field ?? '');
  if (!match) return NaN;
  const century = Number(match[3]) > yearOfCenturyMax ? '19' : '20';
  return secondsOfDate(century + match[3], match[2], match[1]);
}

/** Seconds since 1970 of a day. */
export function secondsOfDate(
  year: string | undefined,
  month: string | undefined,
  day: string | undefined,
): number {
  const [y, m, d] = [numberOf(year), numberOf(month), numberOf(day)];
  const date = new Date(Date.UTC(y, m - 1, d));
  return date.getUTCMonth() === m - 1 && date.getUTCDate() === d ? date.getTime() / 1000 : NaN;
}
