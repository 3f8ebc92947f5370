import { Drive } from './drive.js';
import { Prng } from './prng.js';

/** Something that drives, as its receiver needs to know it. */
export interface Motion {
  advanceTo(elapsedUs: number): void;
  /** Metres from an invented home. */
  readonly eastM: number;
  readonly northM: number;
  /** Radians, clockwise from north. */
  readonly heading: number;
  readonly speedMps: number;
  /** No sky: the receiver has no fix. */
  readonly tunnel: boolean;
}

export interface GpsOptions {
  seed: number;
  /** Time of the drive's start, µs since the Unix epoch. */
  startUs: number;
  /** Fixes per second, 1 to 10. Default 1. */
  fixRateHz?: number;
  /** What it is mounted in. Default the vehicle of `CanBus`, by the seed. */
  motion?: Motion;
}

/** Where nobody lives: about Point Nemo in the South Pacific, the ocean's farthest place from any land. */
const HOME_LATITUDE = -48.8767;
const HOME_LONGITUDE = -123.3933;
const METRES_PER_DEGREE = 111_320;
const SATELLITES = [3, 6, 9, 11, 14, 19, 22, 24, 28, 31];
const METRES_PER_S_IN_KNOTS = 1.943844;

/**
 * What the vehicle's GPS receiver says: NMEA 0183 sentences GGA, GSA, RMC and VTG for each fix, with checksums and
 * CR LF. The same seed drives the same way as in `CanBus`. A pure function of the options.
 */
export class GpsReceiver {
  private readonly drive: Motion;
  private readonly prng: Prng;
  private readonly startUs: number;
  private readonly periodUs: number;
  private nextUs: number;
  private errorEastM = 0;
  private errorNorthM = 0;

  constructor(options: GpsOptions) {
    this.drive = options.motion ?? new Drive(options.seed);
    this.prng = new Prng(options.seed, 3);
    this.startUs = options.startUs;
    this.periodUs = 1e6 / (options.fixRateHz ?? 1);
    // Fixes are at whole periods of UTC; the sentences leave the receiver a moment later.
    this.nextUs = (this.periodUs - (options.startUs % this.periodUs)) % this.periodUs;
  }

  /** Sentences of the next fix before `elapsedUs` after the start; empty where there is none. */
  next(elapsedUs: number): string {
    if (this.nextUs >= elapsedUs) return '';
    const fixUs = this.nextUs;
    this.nextUs += this.periodUs;
    this.drive.advanceTo(fixUs);
    return this.sentences(new Date((this.startUs + fixUs) / 1000));
  }

  private sentences(time: Date): string {
    const { drive, prng } = this;
    this.errorEastM += (prng.gauss() * 2 - this.errorEastM) * 0.05;
    this.errorNorthM += (prng.gauss() * 2 - this.errorNorthM) * 0.05;
    const iso = time.toISOString(); // 2026-11-22T21:08:27.000Z
    const hms = iso.slice(11, 19).replaceAll(':', '') + iso.slice(19, 22);
    const date = iso.slice(8, 10) + iso.slice(5, 7) + iso.slice(2, 4);
    if (drive.tunnel) {
      return [
        `GPGGA,${hms},,,,,0,00,,,M,,M,,`,
        'GPGSA,A,1,,,,,,,,,,,,,,,',
        `GPRMC,${hms},V,,,,,,,${date},,,N`,
        'GPVTG,,,,,,,,,N',
      ]
        .map(sentence)
        .join('');
    }
    const latitude = HOME_LATITUDE + (drive.northM + this.errorNorthM) / METRES_PER_DEGREE;
    const longitude =
      HOME_LONGITUDE +
      (drive.eastM + this.errorEastM) / (METRES_PER_DEGREE * Math.cos((HOME_LATITUDE * Math.PI) / 180));
    const place = `${angle(latitude, 2, 'N', 'S')},${angle(longitude, 3, 'E', 'W')}`;
    const speed = drive.speedMps;
    const course = ((((drive.heading * 180) / Math.PI) % 360) + 360) % 360;
    const courseText = course.toFixed(2).padStart(6, '0');
    const knots = (speed * METRES_PER_S_IN_KNOTS).toFixed(3);
    const hdop = (0.9 + Math.abs(prng.gauss()) * 0.15).toFixed(2);
    const used = SATELLITES.slice(0, 7 + prng.below(4));
    const altitude = (48 + Math.sin(drive.northM / 3000) * 30 + prng.gauss() * 0.5).toFixed(1);
    const slots = Array.from({ length: 12 }, (_, i) =>
      (used[i] ?? '').toString().padStart(used[i] ? 2 : 0, '0'),
    );
    return [
      `GPGGA,${hms},${place},1,${String(used.length).padStart(2, '0')},${hdop},${altitude},M,-19.8,M,,`,
      `GPGSA,A,3,${slots.join(',')},1.85,${hdop},1.60`,
      `GPRMC,${hms},A,${place},${knots},${courseText},${date},,,A`,
      `GPVTG,${courseText},T,,M,${knots},N,${(speed * 3.6).toFixed(3)},K,A`,
    ]
      .map(sentence)
      .join('');
  }
}

/** Text of a whole drive, one chunk a fix. */
export function* nmeaText(options: GpsOptions & { durationUs: number }): Generator<string, void> {
  const receiver = new GpsReceiver(options);
  for (let text = receiver.next(options.durationUs); text !== ''; text = receiver.next(options.durationUs)) {
    yield text;
  }
}

/** Adds `$`, checksum (XOR of all characters) and CR LF. */
function sentence(body: string): string {
  let sum = 0;
  for (let i = 0; i < body.length; i++) sum ^= body.charCodeAt(i);
  return `$${body}*${sum.toString(16).toUpperCase().padStart(2, '0')}\r\n`;
}

/** Degrees and minutes as NMEA writes them: `4852.60200,S`. */
function angle(degrees: number, digits: number, positive: string, negative: string): string {
  const tenMicroMinutes = Math.round(Math.abs(degrees) * 60 * 1e5);
  const whole = Math.floor(tenMicroMinutes / 6e6);
  const minutes = ((tenMicroMinutes - whole * 6e6) / 1e5).toFixed(5).padStart(8, '0');
  return `${String(whole).padStart(digits, '0')}${minutes},${degrees < 0 ? negative : positive}`;
}
