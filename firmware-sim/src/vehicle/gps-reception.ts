import type { ReceiverSettings } from './firmware.js';
import { Prng } from './prng.js';

/** What there is above a receiver. */
export type Sky = 'open' | 'canyon' | 'none';

/** Seconds until the first fix, with a sky above (data sheets: about 30, 28 and 1 s). */
const firstFixS = { cold: [26, 40], warm: [20, 32], hot: [1, 3] } satisfies Record<string, [number, number]>;
/** A cold receiver knows the time of day as soon as it has read a satellite's hand-over word (one comes each 6 s). */
const FIRST_TIME_S = [7, 15] as const;
/** Leap seconds are said once in 12.5 minutes. */
const FIRST_LEAP_S = [40, 750] as const;
/** Found again when the sky is back: longer after a long time without. */
const FOUND_AGAIN_S = [0.8, 2.5] as const;
const LONG_LOST_S = 60;
const LONG_LOST_MORE_S = 3;

const SATELLITES_MIN = 4;
const SATELLITES_MAX = 10;
/** Another one is used after so many seconds. */
const NEXT_SATELLITE_S = 2.5;
/** Of horizontal dilution by satellites used, from four on: what usual constellations give. */
const hdops = [3.4, 2.2, 1.65, 1.35, 1.15, 1, 0.9];
const VERTICAL = 1.55;

/** Noise under an open sky, and what reflections off houses add: m, and s until it has forgotten. */
const open = { acrossM: 1.6, alongM: 1.6, forgetsS: 20 };
const canyon = { acrossM: 14, alongM: 5, forgetsS: 12 };
/** Of a second in a street canyon without a fix. */
const LOST_SHARE = 0.02;
const LOST_S = [1, 4] as const;

/** What a receiver has of the satellites at one moment. */
export interface Reception {
  hasFix: boolean;
  knowsTime: boolean;
  knowsDate: boolean;
  knowsLeapSeconds: boolean;
  /** Used in the fix. */
  satellites: number;
  hdop: number;
  vdop: number;
  /** Of the place, metres to the right of the way and along it. */
  errorAcrossM: number;
  errorAlongM: number;
}

/**
 * A receiver from its start on: the first fix takes its time, satellites come one by one, houses reflect (an error that
 * stays for seconds, as a first-order Gauss-Markov process), and what was lost must be found again.
 */
export class GpsReception {
  readonly now: Reception;
  private readonly prng: Prng;
  private readonly timeKnownS: number;
  private readonly leapKnownS: number;
  /** Seconds of sky that are still needed for a fix. */
  private missingS: number;
  private lostS = 0;
  private fixedS = 0;
  private runS = 0;
  private inCanyonSatellites = SATELLITES_MIN;

  constructor(seed: number, settings: ReceiverSettings) {
    const prng = new Prng(seed, 70);
    this.prng = prng;
    const [fastestS, slowestS] = firstFixS[settings.start];
    this.missingS = prng.between(fastestS, slowestS);
    const isCold = settings.start === 'cold';
    this.timeKnownS = isCold ? prng.between(...FIRST_TIME_S) : 0;
    this.leapKnownS = isCold ? prng.between(...FIRST_LEAP_S) : 0;
    this.now = {
      hasFix: false,
      knowsTime: !isCold,
      knowsDate: !isCold,
      knowsLeapSeconds: !isCold,
      satellites: 0,
      hdop: 99.99,
      vdop: 99.99,
      errorAcrossM: prng.gauss() * open.acrossM,
      errorAlongM: prng.gauss() * open.alongM,
    };
  }

  /** Goes on by `dtS` under this sky. */
  advance(dtS: number, sky: Sky): void {
    const { now, prng } = this;
    this.runS += dtS;
    if (sky === 'none') this.lose(dtS);
    else this.search(dtS);
    if (sky === 'canyon' && now.hasFix && prng.chance(LOST_SHARE * dtS)) {
      this.missingS = prng.between(...LOST_S);
      now.hasFix = false;
    }
    if (sky !== 'none' && this.runS >= this.timeKnownS) now.knowsTime = true;
    if (now.hasFix) now.knowsTime = now.knowsDate = true;
    if (now.knowsDate && this.runS >= this.leapKnownS) now.knowsLeapSeconds = true;
    this.count(dtS, sky);
    this.disturb(dtS, sky === 'canyon' ? canyon : open);
  }

  private lose(dtS: number): void {
    if (this.now.hasFix) {
      this.missingS = this.prng.between(...FOUND_AGAIN_S);
      this.lostS = 0;
    }
    this.now.hasFix = false;
    const before = this.lostS;
    this.lostS += dtS;
    if (before < LONG_LOST_S && this.lostS >= LONG_LOST_S) this.missingS += LONG_LOST_MORE_S;
  }

  private search(dtS: number): void {
    if (this.now.hasFix) {
      this.fixedS += dtS;
      return;
    }
    this.missingS -= dtS;
    this.now.hasFix = this.missingS <= 0;
    this.fixedS = 0;
  }

  private count(dtS: number, sky: Sky): void {
    const { now, prng } = this;
    if (!now.hasFix) {
      now.satellites = 0;
      now.hdop = now.vdop = 99.99;
      return;
    }
    if (prng.chance(Math.min(1, dtS / 3))) this.inCanyonSatellites = SATELLITES_MIN + prng.below(3);
    const found = Math.min(SATELLITES_MAX, SATELLITES_MIN + Math.floor(this.fixedS / NEXT_SATELLITE_S));
    now.satellites = sky === 'canyon' ? Math.min(found, this.inCanyonSatellites) : found;
    now.hdop = hdops[now.satellites - SATELLITES_MIN] * (1 + Math.abs(prng.gauss()) * 0.06);
    now.vdop = now.hdop * VERTICAL;
  }

  private disturb(dtS: number, { acrossM, alongM, forgetsS }: typeof open): void {
    const { now, prng } = this;
    const keeps = Math.exp(-dtS / forgetsS);
    const adds = Math.sqrt(1 - keeps * keeps);
    now.errorAcrossM = now.errorAcrossM * keeps + prng.gauss() * acrossM * adds;
    now.errorAlongM = now.errorAlongM * keeps + prng.gauss() * alongM * adds;
  }
}
