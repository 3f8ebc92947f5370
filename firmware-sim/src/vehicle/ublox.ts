import { sentencesOf } from './gps.js';
import { GpsFixes, type GpsFix, type GpsOptions } from './gps-fixes.js';

/** GPS time was so far ahead of UTC from 2017 on. */
const LEAP_SECONDS = 18;
const GPS_START_MS = Date.UTC(1980, 0, 6);
const WEEK_MS = 604_800_000;
/** Height of the sea above the ellipsoid at home. */
const GEOID_M = -19.8;
/** NAV-PVT: date, time, and that its seconds are certain. */
const valid = { date: 0x01, time: 0x02, leapSeconds: 0x04 } as const;
const TIME_ACCURACY_NS = 30;

/**
 * What a u-blox receiver with both protocols on says: for each fix its NMEA sentences, then the packets NAV-PVT and
 * NAV-DOP (u-blox 8 interface description). A pure function of the options.
 */
export class UbloxReceiver {
  private readonly fixes: GpsFixes;

  constructor(options: GpsOptions) {
    this.fixes = new GpsFixes(options);
  }

  /** What is said of the next fix before `elapsedUs` after the start; empty where there is none. */
  next(elapsedUs: number): Uint8Array {
    const fix = this.fixes.next(elapsedUs);
    if (!fix) return new Uint8Array(0);
    return Buffer.concat([
      Buffer.from(sentencesOf(fix), 'latin1'),
      packet(0x01, 0x07, navPvt(fix)),
      packet(0x01, 0x04, navDop(fix)),
    ]);
  }
}

/** By the receiver's own clock as long as it knows no other. */
function timeOfWeekMs({ timeUs, runUs, knows }: GpsFix): number {
  if (!knows.knowsTime) return Math.round(runUs / 1000);
  return (Math.round(timeUs / 1000) - GPS_START_MS + LEAP_SECONDS * 1000) % WEEK_MS;
}

function navPvt(fix: GpsFix): Buffer {
  const payload = Buffer.alloc(92);
  const { timeUs, runUs, place, knows } = fix;
  const time = new Date(knows.knowsDate ? Math.floor(timeUs / 1e6) * 1000 : GPS_START_MS + runUs / 1000);
  payload.writeUInt32LE(timeOfWeekMs(fix), 0);
  payload.writeUInt16LE(time.getUTCFullYear(), 4);
  payload.writeUInt8(time.getUTCMonth() + 1, 6);
  payload.writeUInt8(time.getUTCDate(), 7);
  payload.writeUInt8(time.getUTCHours(), 8);
  payload.writeUInt8(time.getUTCMinutes(), 9);
  payload.writeUInt8(time.getUTCSeconds(), 10);
  payload.writeUInt8(
    (knows.knowsDate ? valid.date : 0) |
      (knows.knowsTime ? valid.time : 0) |
      (knows.knowsLeapSeconds ? valid.leapSeconds : 0),
    11,
  );
  payload.writeUInt32LE(TIME_ACCURACY_NS, 12);
  payload.writeInt32LE(Math.round((timeUs % 1e6) * 1000), 16);
  if (!place) return payload;
  const { speedMps, course } = place;
  const heading = (course * Math.PI) / 180;
  const mm = (metres: number): number => Math.round(metres * 1000);
  payload.writeUInt8(3, 20); // a 3D fix
  payload.writeUInt8(1, 21); // within its limits
  payload.writeUInt8(place.satellites.length, 23);
  payload.writeInt32LE(Math.round(place.longitude * 1e7), 24);
  payload.writeInt32LE(Math.round(place.latitude * 1e7), 28);
  payload.writeInt32LE(mm(place.altitudeM + GEOID_M), 32);
  payload.writeInt32LE(mm(place.altitudeM), 36);
  payload.writeUInt32LE(mm(2 * place.hdop), 40);
  payload.writeUInt32LE(mm(4 * place.hdop), 44);
  payload.writeInt32LE(mm(speedMps * Math.cos(heading)), 48);
  payload.writeInt32LE(mm(speedMps * Math.sin(heading)), 52);
  payload.writeInt32LE(mm(speedMps), 60);
  payload.writeInt32LE(Math.round(course * 1e5), 64);
  payload.writeUInt32LE(120, 68);
  payload.writeUInt32LE(150_000, 72);
  payload.writeUInt16LE(Math.round(place.pdop * 100), 76);
  return payload;
}

function navDop(fix: GpsFix): Buffer {
  const payload = Buffer.alloc(18);
  payload.writeUInt32LE(timeOfWeekMs(fix), 0);
  const { hdop, vdop, pdop } = fix.place ?? { hdop: 99.99, vdop: 99.99, pdop: 99.99 };
  const time = vdop / 1.6;
  const dops = [Math.hypot(pdop, time), pdop, time, vdop, hdop, hdop * 0.7, hdop * 0.7];
  const hundredths = dops.map((dop) => Math.min(9999, Math.round(100 * dop)));
  for (const [i, dop] of hundredths.entries()) payload.writeUInt16LE(dop, 4 + 2 * i);
  return payload;
}

/** Sync, class, message, length, payload, and Fletcher's checksum. */
function packet(messageClass: number, message: number, payload: Uint8Array): Buffer {
  const head = [messageClass, message, payload.length & 0xff, payload.length >> 8];
  let a = 0;
  let b = 0;
  for (const byte of [...head, ...payload]) {
    a = (a + byte) & 0xff;
    b = (b + a) & 0xff;
  }
  return Buffer.from([0xb5, 0x62, ...head, ...payload, a, b]);
}
