import { mayBeUbx, readUbx, timeOfPacket, ubxSync } from '@fleetlog/shared/gnss';

const LF = 10;
const DOLLAR = 36;
const ASTERISK = 42;
const COMMA = 44;
const LETTER_P = 80;

const HOUR_US = 3_600_000_000;
const DAY_US = 24 * HOUR_US;
/** NMEA 0183 allows 82; receivers with many digits write more. */
const SENTENCE_BYTES_MAX = 128;
/** A two-digit year from 80 on is that of a receiver that doesn't know the date yet (GPS time starts in 1980). */
const YEAR_OF_CENTURY_MAX = 79;

/**
 * The time that NMEA 0183 sentences tell: RMC and ZDA with date; GGA, GLL and GNS give the time of day for the last
 * date. A step of more than an hour counts only when a dated sentence of a later moment confirms it, so that one
 * absurd sentence (a week roll-over, a receiver that just woke up) changes nothing. Sentences whose checksum is wrong
 * or missing are passed over, and so is whatever else the bytes hold. Between sentences u-blox's receivers send packets,
 * of which some tell date and time (NAV-PVT).
 */
export class NmeaTime {
  /** The last time told, µs since the Unix epoch. */
  timeUs: number | undefined;
  /** A dated time that is a step of more than an hour away. */
  unconfirmedUs: number | undefined;

  /** Looks at the line, or packet, `[start, end)`. */
  see(bytes: Uint8Array, start: number, end: number): void {
    const told = mayBeUbx(bytes, start, end) ? timeOfPacket(readUbx(bytes, start, end)) : undefined;
    if (told) return this.dated(told.timeUs);
    const fields = timedSentence(bytes, start, end);
    if (!fields) return;
    const type = fields[0].slice(2);
    if (type === 'RMC') this.dated(timeOfDayUs(fields[1]) + shortDateUs(fields[9]));
    else if (type === 'ZDA') this.dated(timeOfDayUs(fields[1]) + dateUs(fields[4], fields[3], fields[2]));
    else this.undated(timeOfDayUs(fields[type === 'GLL' ? 5 : 1]));
  }

  /** The first time that is told and confirmed in these bytes, or the only one. */
  static firstIn(bytes: Uint8Array, start: number, end: number): number | undefined {
    const nmea = new NmeaTime();
    for (let at = start; at < end;) {
      const lineEnd = endOf(bytes, at, end);
      const before = nmea.unconfirmedUs;
      nmea.see(bytes, at, lineEnd);
      if (nmea.timeUs !== undefined) return before;
      at = lineEnd;
    }
    return nmea.unconfirmedUs;
  }

  private dated(timeUs: number): void {
    if (Number.isNaN(timeUs)) return;
    const { unconfirmedUs } = this;
    const near = this.timeUs !== undefined && Math.abs(timeUs - this.timeUs) <= HOUR_US;
    const confirmed =
      unconfirmedUs !== undefined && timeUs > unconfirmedUs && timeUs - unconfirmedUs <= HOUR_US;
    if (near || confirmed) {
      this.timeUs = timeUs;
      this.unconfirmedUs = undefined;
    } else {
      this.unconfirmedUs = timeUs;
    }
  }

  private undated(ofDayUs: number): void {
    if (Number.isNaN(ofDayUs) || this.timeUs === undefined) return;
    const dayUs = Math.floor(this.timeUs / DAY_US) * DAY_US;
    for (const timeUs of [dayUs + ofDayUs, dayUs + ofDayUs + DAY_US, dayUs + ofDayUs - DAY_US]) {
      if (Math.abs(timeUs - this.timeUs) <= HOUR_US) {
        this.timeUs = timeUs;
        return;
      }
    }
  }
}

/** Where the line, or the packet, ends that begins at `start`. */
function endOf(bytes: Uint8Array, start: number, end: number): number {
  const packet = mayBeUbx(bytes, start, end) ? readUbx(bytes, start, end) : undefined;
  if (packet?.state === 'right') return packet.end;
  const feed = bytes.indexOf(LF, start);
  const lineEnd = feed < 0 || feed >= end ? end : feed + 1;
  const sync = bytes.indexOf(ubxSync, start + 1);
  return sync > 0 && sync < lineEnd ? sync : lineEnd;
}

const timedTypes = new Set(['RMC', 'ZDA', 'GGA', 'GLL', 'GNS']);

/** Fields of the line's last sentence (`GPRMC`, …), where it is of a type that tells time and its checksum is right. */
function timedSentence(bytes: Uint8Array, start: number, end: number): string[] | undefined {
  const from = Math.max(start, end - SENTENCE_BYTES_MAX);
  let dollar = end - 1;
  while (dollar >= from && bytes[dollar] !== DOLLAR) dollar--;
  if (dollar < from || bytes[dollar + 6] !== COMMA || bytes[dollar + 1] === LETTER_P) return undefined;
  if (!timedTypes.has(String.fromCharCode(bytes[dollar + 3], bytes[dollar + 4], bytes[dollar + 5])))
    return undefined;
  let sum = 0;
  let at = dollar + 1;
  while (at < end && bytes[at] !== ASTERISK) sum ^= bytes[at++];
  if (at + 3 > end) return undefined;
  if (sum !== parseInt(String.fromCharCode(bytes[at + 1], bytes[at + 2]), 16)) return undefined;
  return String.fromCharCode(...bytes.subarray(dollar + 1, at)).split(',');
}

/** `hhmmss.sss`; NaN where it isn't one. */
function timeOfDayUs(text: string | undefined): number {
  const match = /^([01]\d|2[0-3])([0-5]\d)([0-5]\d|60)(\.\d+)?$/.exec(text ?? '');
  if (!match) return NaN;
  const seconds = Number(match[1]) * 3600 + Number(match[2]) * 60 + Number(match[3]);
  return seconds * 1e6 + Math.round(Number(match[4] ?? 0) * 1e6);
}

/** `ddmmyy` */
function shortDateUs(text: string | undefined): number {
  const match = /^(\d\d)(\d\d)(\d\d)$/.exec(text ?? '');
  if (!match || Number(match[3]) > YEAR_OF_CENTURY_MAX) return NaN;
  return dateUs(`20${match[3]}`, match[2], match[1]);
}

function dateUs(year: string | undefined, month: string | undefined, day: string | undefined): number {
  if (!/^20\d\d$/.test(year ?? '') || !/^\d\d?$/.test(month ?? '') || !/^\d\d?$/.test(day ?? '')) return NaN;
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
  return date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day)
    ? date.getTime() * 1000
    : NaN;
}
