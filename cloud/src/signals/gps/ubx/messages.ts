import { utcAt, utcOfWeek } from '@fleetlog/shared/gnss';
import type { EpochFacts } from '../epoch.js';
import { mode } from '../position.js';
import { observeAll, signal, type ReportSignal, type ReportType } from '../report-type.js';
import { usedIn } from './satellites.js';

type Payload = DataView;
type Reader = (payload: Payload) => number;
type Signals = ReportSignal<Payload>[];

export interface MessageType extends ReportType<Payload> {
  /** Class × 256 + message. */
  id: number;
  /** A shorter one is of a protocol that isn't known here, and isn't read. */
  bytesMin: number;
  /** Where the time of week is, in ms: all messages of an epoch have the same. */
  timeOfWeekAt: number;
}

const i32 =
  (place: number, scale: number): Reader =>
  (p) =>
    p.getInt32(place, true) * scale;
const u32 =
  (place: number, scale: number): Reader =>
  (p) =>
    p.getUint32(place, true) * scale;
const u16 =
  (place: number, scale: number): Reader =>
  (p) =>
    p.getUint16(place, true) * scale;
const u8 =
  (place: number): Reader =>
  (p) =>
    p.getUint8(place);
/** Divided, not multiplied by 1e-7: the quotient is the double closest to the decimal number. */
const degrees =
  (place: number): Reader =>
  (p) =>
    p.getInt32(place, true) / 1e7;
/** A value of 32 bits, and hundredths of its unit in another byte. */
const precise =
  (coarse: Reader, fineAt: number, scale: number): Reader =>
  (p) =>
    coarse(p) + p.getInt8(fineAt) * scale;

const latitude = (read: Reader): Signals[number] =>
  signal('latitude', '°', 'north, WGS 84', read, { of: 'latitude' });
const longitude = (read: Reader): Signals[number] =>
  signal('longitude', '°', 'east, WGS 84', read, { of: 'longitude' });
const heights = (ellipsoid: Reader, sea: Reader): Signals => [
  signal('altitude', 'm', 'above mean sea level', sea, { of: 'altitude' }),
  signal('altitudeEllipsoid', 'm', 'above the ellipsoid of WGS 84', ellipsoid, { of: 'altitudeEllipsoid' }),
];
const errors = (place: number, scale: number): Signals => [
  signal('horizontalError', 'm', 'as estimated', u32(place, scale), { of: 'horizontalError' }),
  signal('verticalError', 'm', 'as estimated', u32(place + 4, scale), { of: 'verticalError' }),
];
const motion = (speed: Reader, track: Reader, climb: Reader, speedError: Reader): Signals => [
  signal('speed', 'm/s', 'over ground', speed, { of: 'speed' }),
  signal('track', '°', 'of motion, from true north', track, { of: 'track' }),
  signal('climb', 'm/s', 'upwards', climb, { of: 'climb' }),
  signal('speedError', 'm/s', 'as estimated', speedError, { of: 'speedError' }),
];
const time = (utc: Reader, errorAt: number): Signals => [
  signal('time', 's', 'since 1970, UTC', utc, { of: 'time' }),
  signal('timeError', 's', 'as estimated', u32(errorAt, 1e-9)),
];
const pdop = (place: number): Signals[number] =>
  signal('pdop', '', 'dilution of precision in space', u16(place, 0.01), { of: 'pdop' });
const satellites = (place: number): Signals[number] =>
  signal('satellites', '', 'used', u8(place), { of: 'satellitesUsed' });

const fixLabels = new Map(
  ['no fix', 'dead reckoning', '2D', '3D', 'GNSS and dead reckoning', 'time only'].map((label, i) => [
    i,
    label,
  ]),
);
const fixType = (place: number): Signals[number] =>
  signal('fixType', '', 'kind of fix', u8(place), { labels: fixLabels });

const list = (countAt: number, flagsAt: number, usedMask: number): Signals => [
  signal('satellites', '', 'in view', u8(countAt), { of: 'satellitesSeen' }),
  signal('satellitesUsed', '', 'used', usedIn(countAt, flagsAt, usedMask), { of: 'satellitesUsed' }),
];

/** `fixType`, and the flag that says that the fix is within the limits which the receiver is set to. */
function observeFix(payload: Payload, facts: EpochFacts, fixTypeAt: number): void {
  const type = payload.getUint8(fixTypeAt);
  const isOk = (payload.getUint8(fixTypeAt + 1) & 1) !== 0;
  facts.isValid = isOk && type >= 1 && type <= 4;
  facts.mode = !facts.isValid ? mode.none : type === 3 || type === 4 ? mode.full : mode.flat;
}

const nav = 0x0100;
const hnr = 0x2800;

/** `id`: class × 256 + message. */
function message(
  name: string,
  id: number,
  bytesMin: number,
  signals: Signals,
  { timeOfWeekAt = 0, fixTypeAt = -1 } = {},
): MessageType {
  return {
    name,
    id,
    bytesMin,
    timeOfWeekAt,
    signals,
    observe(payload, facts) {
      observeAll(signals, payload, facts);
      if (fixTypeAt >= 0) observeFix(payload, facts, fixTypeAt);
    },
  };
}

/**
 * Messages of u-blox's class NAV that tell position, time, speed, or how good they are: NAV-PVT of receivers from the
 * seventh generation on, what older ones say in several; and HNR-PVT, which some say between two of them. Places are those of u-blox's interface descriptions.
 */
export const messageTypes: readonly MessageType[] = [
  message(
    'NAV-PVT',
    nav + 0x07,
    84,
    [
      latitude(degrees(28)),
      longitude(degrees(24)),
      ...heights(i32(32, 1e-3), i32(36, 1e-3)),
      ...motion(i32(60, 1e-3), i32(64, 1e-5), i32(56, -1e-3), u32(68, 1e-3)),
      signal('trackError', '°', 'as estimated', u32(72, 1e-5)),
      fixType(20),
      satellites(23),
      pdop(76),
      ...errors(40, 1e-3),
      ...time(utcAt(4, 16, 11, 0x03), 12),
    ],
    { fixTypeAt: 20 },
  ),
  message(
    'HNR-PVT',
    hnr,
    72,
    [
      latitude(degrees(24)),
      longitude(degrees(20)),
      ...heights(i32(28, 1e-3), i32(32, 1e-3)),
      signal('speed', 'm/s', 'over ground', i32(36, 1e-3), { of: 'speed' }),
      signal('track', '°', 'of motion, from true north', i32(44, 1e-5), { of: 'track' }),
      signal('speedError', 'm/s', 'as estimated', u32(60, 1e-3), { of: 'speedError' }),
      signal('trackError', '°', 'as estimated', u32(64, 1e-5)),
      fixType(16),
      ...errors(52, 1e-3),
      signal('time', 's', 'since 1970, UTC', utcAt(4, 12, 11, 0x03), { of: 'time' }),
    ],
    { fixTypeAt: 16 },
  ),
  message('NAV-POSLLH', nav + 0x02, 28, [
    latitude(degrees(8)),
    longitude(degrees(4)),
    ...heights(i32(12, 1e-3), i32(16, 1e-3)),
    ...errors(20, 1e-3),
  ]),
  message(
    'NAV-HPPOSLLH',
    nav + 0x14,
    36,
    [
      latitude(precise(degrees(12), 25, 1e-9)),
      longitude(precise(degrees(8), 24, 1e-9)),
      ...heights(precise(i32(16, 1e-3), 26, 1e-4), precise(i32(20, 1e-3), 27, 1e-4)),
      ...errors(28, 1e-4),
    ],
    { timeOfWeekAt: 4 },
  ),
  message('NAV-SOL', nav + 0x06, 52, [fixType(10), satellites(47), pdop(44)], { fixTypeAt: 10 }),
  message('NAV-VELNED', nav + 0x12, 36, [
    ...motion(u32(20, 0.01), i32(24, 1e-5), i32(12, -0.01), u32(28, 0.01)),
    signal('trackError', '°', 'as estimated', u32(32, 1e-5)),
  ]),
  message('NAV-DOP', nav + 0x04, 18, [
    signal('gdop', '', 'geometric dilution of precision', u16(4, 0.01)),
    pdop(6),
    signal('hdop', '', 'horizontal dilution of precision', u16(12, 0.01), { of: 'hdop' }),
    signal('vdop', '', 'vertical dilution of precision', u16(10, 0.01), { of: 'vdop' }),
  ]),
  message('NAV-TIMEUTC', nav + 0x21, 20, time(utcAt(12, 8, 19, 0x04), 4)),
  message('NAV-TIMEGPS', nav + 0x20, 16, time(utcOfWeek, 12)),
  message('NAV-SAT', nav + 0x35, 8, list(5, 8, 0x08)),
  message('NAV-SVINFO', nav + 0x30, 8, list(4, 2, 0x01)),
];
