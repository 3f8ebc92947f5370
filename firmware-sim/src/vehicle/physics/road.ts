import { Prng } from '../prng.js';

/** The road closes after so much, so a vehicle never leaves its invented country. */
export const LOOP_M = 40_000;

interface Wave {
  /** Radians per metre. */
  k: number;
  amplitude: number;
  phase: number;
}

/**
 * A round trip on an invented road: heading, height and slope as functions of the distance from its start. Slope is the
 * exact derivative of height, and all are the same again after `LOOP_M`.
 */
export class Road {
  private readonly bends: Wave[];
  private readonly hills: Wave[];
  private readonly heading0: number;

  constructor(seed: number, hilliness = 1) {
    const prng = new Prng(seed, 11);
    this.heading0 = prng.between(0, 2 * Math.PI);
    const waves = (count: number, laps: number, amplitude: number): Wave[] =>
      Array.from({ length: count }, (_, i) => {
        const lap = 1 + i * laps + prng.below(laps);
        return {
          k: (2 * Math.PI * lap) / LOOP_M,
          amplitude: (amplitude * prng.between(0.4, 1)) / lap,
          phase: prng.between(0, 2 * Math.PI),
        };
      });
    this.bends = waves(9, 5, 4);
    this.hills = waves(7, 4, 90 * hilliness);
  }

  /** Radians, clockwise from north. */
  heading(m: number): number {
    let heading = this.heading0 + (2 * Math.PI * m) / LOOP_M;
    for (const { k, amplitude, phase } of this.bends) heading += amplitude * Math.sin(k * m + phase);
    return heading;
  }

  /** Radians per metre. */
  curvature(m: number): number {
    let curvature = (2 * Math.PI) / LOOP_M;
    for (const { k, amplitude, phase } of this.bends) curvature += amplitude * k * Math.cos(k * m + phase);
    return curvature;
  }

  /** Metres above an invented sea. */
  height(m: number): number {
    let height = 120;
    for (const { k, amplitude, phase } of this.hills) height += amplitude * Math.sin(k * m + phase);
    return height;
  }

  /** Metres of height per metre of road. */
  slope(m: number): number {
    let slope = 0;
    for (const { k, amplitude, phase } of this.hills) slope += amplitude * k * Math.cos(k * m + phase);
    return slope;
  }
}
