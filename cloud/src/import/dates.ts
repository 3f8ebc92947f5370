const monthNames: Record<string, number> = {
  jan: 0,
  feb: 1,
  mar: 2,
  mär: 2,
  mrz: 2,
  apr: 3,
  may: 4,
  mai: 4,
  jun: 5,
  jul: 6,
  aug: 7,
  sep: 8,
  oct: 9,
  okt: 9,
  nov: 10,
  dec: 11,
  dez: 11,
};

/** `Sam Sep 30 15:06:13.191 2017`, also with am or pm, in English or German; as if in UTC, µs. */
export function vectorDate(text: string): number | undefined {
  const match =
    /^\s*\S+\s+(\p{L}{3})\p{L}*\.?\s+(\d{1,2})\s+(\d{1,2}):(\d\d):(\d\d)(?:\.(\d{1,6}))?\s*(am|pm)?\s+(\d{4})\s*$/iu.exec(
      text,
    );
  const month = monthNames[match?.[1].toLowerCase() ?? ''];
  if (!match || month === undefined) return undefined;
  const [, , day, hourText, minute, second, fraction = '', half] = match;
  let hour = Number(hourText);
  if (half) hour = (hour % 12) + (half.toLowerCase() === 'pm' ? 12 : 0);
  const ms = Date.UTC(Number(match[8]), month, Number(day), hour, Number(minute), Number(second));
  return ms * 1000 + Number(fraction.padEnd(6, '0'));
}

const daysBefore1970 = 25_569;
const dayUs = 8.64e10;

/** `44548.6028595139`: days since 1899-12-30, as if in UTC, µs. */
export function dayNumber(text: string): number | undefined {
  const match = /^\s*(\d{1,6})(\.\d+)?\s*$/.exec(text);
  if (!match) return undefined;
  return (Number(match[1]) - daysBefore1970) * dayUs + Math.round(Number(`0${match[2] ?? ''}`) * dayUs);
}

/** `11.09.2002 16:00:20.682`, and further digits behind another dot; as if in UTC, µs. */
export function dottedDate(text: string): number | undefined {
  const match = /(\d{1,2})\.(\d{1,2})\.(\d{4})\s+(\d{1,2}):(\d\d):(\d\d)(?:\.(\d{3})(?:\.(\d{3}))?)?/.exec(
    text,
  );
  if (!match) return undefined;
  const [day, month, year, hour, minute, second, ms = 0, us = 0] = match
    .slice(1)
    .map((part) => Number(part ?? 0));
  return Date.UTC(year, month - 1, day, hour, minute, second, ms) * 1000 + us;
}
