import type { Prng } from '../prng.js';

/**
 * What turns fuel or charge into force at the wheels. `step` is asked for a force (N; below 0: slow down without the
 * brakes, as far as it can) at a speed (m/s), and returns the force that it gave over the step.
 */
export interface Powertrain {
  step(wantedN: number, speed: number, dtS: number): number;
  /** Writes its quantities (see `quantities.ts`). */
  show(into: Float64Array): void;
  /** Energies since the start, J; `taken` = `delivered` + `lost` + `stored` at any time. */
  readonly energy: Readonly<PowertrainEnergy>;
}

export interface PowertrainEnergy {
  /** Out of the tank or the cells. */
  takenJ: number;
  /** Work at the wheels; less where energy was won back. */
  deliveredJ: number;
  /** Became heat, or drives what else is on board. */
  lostJ: number;
}

export interface PowertrainStart {
  prng: Prng;
  ambientC: number;
  wheelRadiusM: number;
}
