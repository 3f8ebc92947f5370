import { Drive } from './drive.js';
import type { Firmware, ReceiverSettings } from './firmware.js';
import { Ignition } from './ignition.js';
import { GpsReception, type Reception, type Sky } from './gps-reception.js';
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
  /** Metres from the start of its road, where it has one. */
  readonly placeM?: number;
}

export interface GpsOptions {
  seed: number;
  /** Time of the drive's start, µs since the Unix epoch. */
  startUs: number;
  /** Fixes per second, 1 to 10. Default 1. */
  fixRateHz?: number;
  /** What it is mounted in. Default the vehicle of `CanBus`, by the seed. */
  motion?: Motion;
  /** Default: a receiver that has long been on, under an open sky. */
  firmware?: Firmware | undefined;
}

/** What a receiver found at one moment. */
export interface GpsFix {
  timeUs: number;
  /** Since the receiver was switched on, µs: its time as long as it knows no other. */
  runUs: number;
  /** What it knows of the time. */
  knows: Readonly<Pick<Reception, 'knowsTime' | 'knowsDate' | 'knowsLeapSeconds'>>;
  /** Undefined without a fix. */
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
  vdop: number;
  pdop: number;
  satellites: readonly number[];
}

/** Where nobody lives: about Point Nemo in the South Pacific, the ocean's farthest place from any land. */
const HOME_LATITUDE = -48.8767;
const HOME_LONGITUDE = -123.3933;
const METRES_PER_DEGREE = 111_320;
/** As long as the receiver has none of its own. */
const VDOP = 1.6;
const PDOP = 1.85;
const knowsAll = { knowsTime: true, knowsDate: true, knowsLeapSeconds: true };
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
  private readonly receiver: ReceiverSettings | undefined;
  private readonly reception: GpsReception | undefined;
  private errorEastM = 0;
  private errorNorthM = 0;

  constructor(options: GpsOptions) {
    const motion = options.motion ?? new Drive(options.seed);
    const ignition = options.firmware?.ignition;
    this.drive = ignition ? new Ignition(motion, ignition) : motion;
    this.prng = new Prng(options.seed, 3);
    this.startUs = options.startUs;
    this.receiver = options.firmware?.receiver;
    this.reception = this.receiver && new GpsReception(options.seed, this.receiver);
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
    const { reception } = this;
    reception?.advance(this.periodUs / 1e6, this.sky());
    const knows = reception?.now ?? knowsAll;
    return { timeUs: this.startUs + fixUs, runUs: fixUs, knows, place: this.place() };
  }

  private sky(): Sky {
    const { tunnel, placeM = -1 } = this.drive;
    if (tunnel) return 'none';
    return this.receiver?.canyons.some(({ fromM, toM }) => placeM >= fromM && placeM < toM)
      ? 'canyon'
      : 'open';
  }

  private place(): GpsPlace | undefined {
    const { drive, prng, reception } = this;
    if (reception) return reception.now.hasFix ? this.placeOf(reception.now) : undefined;
    this.errorEastM += (prng.gauss() * 2 - this.errorEastM) * 0.05;
    this.errorNorthM += (prng.gauss() * 2 - this.errorNorthM) * 0.05;
    if (drive.tunnel) return undefined;
    return {
      ...this.seenFrom(this.errorEastM, this.errorNorthM),
      hdop: 0.9 + Math.abs(prng.gauss()) * 0.15,
      vdop: VDOP,
      pdop: PDOP,
      satellites: SATELLITES.slice(0, 7 + prng.below(4)),
      altitudeM: 48 + Math.sin(drive.northM / 3000) * 30 + prng.gauss() * 0.5,
    };
  }

  private placeOf({ errorAcrossM, errorAlongM, hdop, vdop, satellites }: Reception): GpsPlace {
    const { drive, prng } = this;
    const [sin, cos] = [Math.sin(drive.heading), Math.cos(drive.heading)];
    return {
      ...this.seenFrom(errorAcrossM * cos + errorAlongM * sin, errorAlongM * cos - errorAcrossM * sin),
      hdop,
      vdop,
      pdop: Math.hypot(hdop, vdop),
      satellites: SATELLITES.slice(0, satellites),
      altitudeM: 48 + Math.sin(drive.northM / 3000) * 30 + (errorAcrossM + prng.gauss()) * vdop * 0.5,
    };
  }

  private seenFrom(
    errorEastM: number,
    errorNorthM: number,
  ): Pick<GpsPlace, 'latitude' | 'longitude' | 'speedMps' | 'course'> {
    const { drive } = this;
    const metresPerDegreeEast = METRES_PER_DEGREE * Math.cos((HOME_LATITUDE * Math.PI) / 180);
    return {
      latitude: HOME_LATITUDE + (drive.northM + errorNorthM) / METRES_PER_DEGREE,
      longitude: HOME_LONGITUDE + (drive.eastM + errorEastM) / metresPerDegreeEast,
      speedMps: drive.speedMps,
      course: ((((drive.heading * 180) / Math.PI) % 360) + 360) % 360,
    };
  }
}
