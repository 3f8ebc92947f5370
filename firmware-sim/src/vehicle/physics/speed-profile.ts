import { Prng } from '../prng.js';

/** How somebody drives: limits of the profile that a driver follows. */
export interface DrivingStyle {
  /** m/s². */
  accelerationMax: number;
  decelerationMax: number;
  /** m/s. */
  speedMax: number;
  /** Share of trips in town, in the country; the rest is motorway. */
  urban: number;
  rural: number;
}

const phases = [
  { slow: 5, fast: 14, cruiseS: [6, 40], stopS: [3, 25] }, // town
  { slow: 14, fast: 25, cruiseS: [20, 90], stopS: [2, 12] }, // country
  { slow: 23, fast: 36, cruiseS: [60, 240], stopS: [2, 8] }, // motorway
] as const;

/**
 * The speed that a driver wants, as a function of time: like the standard cycles it is a sequence of short trips, each
 * from standstill over one or more speeds back to standstill, in a town, in the country or on a motorway. It is an
 * invention; `cycles.ts` has published ones.
 */
export class SpeedProfile {
  /** m/s, at the time of the last `advance`. */
  target = 0;
  /** m/s², wanted at that time. */
  rate = 0;
  private readonly prng: Prng;
  /** What is left of the trip: speeds to go to, and how long to keep them. */
  private plan: { speed: number; holdS: number }[] = [];
  private goal = 0;
  private holdS: number;

  constructor(
    seed: number,
    private readonly style: DrivingStyle,
  ) {
    this.prng = new Prng(seed, 12);
    this.holdS = this.prng.between(1, 4);
  }

  /** How much longer the vehicle is to stand, s; 0 where it isn't. */
  get standsForS(): number {
    return this.target === 0 && this.goal === 0 ? Math.max(0, this.holdS) : 0;
  }

  advance(dtS: number): void {
    const { accelerationMax, decelerationMax, speedMax } = this.style;
    if (this.target !== this.goal) {
      // Gentler as it gets faster, as engines and people are.
      const up = accelerationMax * (1 - (0.75 * this.target) / speedMax);
      const wanted = this.goal > this.target ? up : -decelerationMax;
      const next = this.target + wanted * dtS;
      const arrives = wanted > 0 ? next >= this.goal : next <= this.goal;
      this.rate = wanted;
      this.target = arrives ? this.goal : next;
      return;
    }
    this.rate = 0;
    this.holdS -= dtS;
    if (this.holdS > 0) return;
    if (this.plan.length === 0) this.planTrip();
    const step = this.plan.shift()!;
    this.goal = step.speed;
    this.holdS = step.holdS;
  }

  private planTrip(): void {
    const { prng, style } = this;
    const draw = prng.unit();
    const phase = phases[draw < style.urban ? 0 : draw < style.urban + style.rural ? 1 : 2];
    const speeds = 1 + prng.below(4);
    for (let i = 0; i < speeds; i++) {
      const speed = Math.min(style.speedMax * 0.97, prng.between(phase.slow, phase.fast));
      this.plan.push({ speed, holdS: prng.between(phase.cruiseS[0], phase.cruiseS[1]) });
    }
    this.plan.push({ speed: 0, holdS: prng.between(phase.stopS[0], phase.stopS[1]) });
  }
}
