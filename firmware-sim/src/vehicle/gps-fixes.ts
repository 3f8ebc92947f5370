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

/** What a receiver found at one moment. */
export interface GpsFix {
  timeUs: number;
  /** Undefined in a tunnel. */
  place: GpsPlace | undefined;
}

export interface GpsPlace {
  /** Degrees. */
  latitude: number;
  longitude: number;
  /** Above mean sea level, m. */
  altitudeM: number;
  speedMps: number;
  /** Degrees from true north. */
  course: number;
  hdop: number;
  satellites: readonly number[];
}

/** Where nobody lives: about Point Nemo in the South Pacific, the ocean's farthest place from any land. */
const HOME_LATITUDE = -48.8767;
const HOME_LONGITUDE = -123.3933;
const METRES_PER_DEGREE = 111_320;
const SATELLITES = [3, 6, 9, 11, 14, 19, 22, 24, 28, 31];

/**
 * What a vehicle's GPS receiver finds, in whatever language it says it. The same seed drives the same way as in
 * `CanBus`. A pure function of the options.
 */
export class GpsFixes {
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
    // Fixes are at whole periods of UTC; the reports leave the receiver a moment later.
    this.nextUs = (this.periodUs - (options.startUs % this.periodUs)) % this.periodUs;
  }

  /** The next fix before `elapsedUs` after the start; undefined where there is none. */
  next(elapsedUs: number): GpsFix | undefined {
    if (this.nextUs >= elapsedUs) return undefined;
    const fixUs = this.nextUs;
    this.nextUs += this.periodUs;
    this.drive.advanceTo(fixUs);
    return { timeUs: this.startUs + fixUs, place: this.place() };
  }

  private place(): GpsPlace | undefined {
    const { drive, prng } = this;
    this.errorEastM += (prng.gauss() * 2 - this.errorEastM) * 0.05;
    this.errorNorthM += (prng.gauss() * 2 - this.errorNorthM) * 0.05;
    if (drive.tunnel) return undefined;
    const metresPerDegreeEast = METRES_PER_DEGREE * Math.cos((HOME_LATITUDE * Math.PI) / 180);
    return {
      latitude: HOME_LATITUDE + (drive.northM + this.errorNorthM) / METRES_PER_DEGREE,
      longitude: HOME_LONGITUDE + (drive.eastM + this.errorEastM) / metresPerDegreeEast,
      speedMps: drive.speedMps,
      course: ((((drive.heading * 180) / Math.PI) % 360) + 360) % 360,
      hdop: 0.9 + Math.abs(prng.gauss()) * 0.15,
      satellites: SATELLITES.slice(0, 7 + prng.below(4)),
      altitudeM: 48 + Math.sin(drive.northM / 3000) * 30 + prng.gauss() * 0.5,
    };
  }
}
