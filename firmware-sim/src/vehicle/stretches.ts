import { LOOP_M } from './physics/road.js';

/** A part of a vehicle's road, metres from its start; the road closes after `LOOP_M`. */
export interface Stretch {
  fromM: number;
  toM: number;
}

/** The same stretches in each lap of a circuit, all the way round. */
export const inEachLap = (stretches: readonly Stretch[], lapM: number): Stretch[] =>
  Array.from({ length: Math.floor(LOOP_M / lapM) }, (_, lap) =>
    stretches.map(({ fromM, toM }) => ({ fromM: lap * lapM + fromM, toM: lap * lapM + toM })),
  ).flat();
