import { Type } from '@fleetlog/shared/schema';
import { LOOP_M } from '../vehicle/physics/road.js';
import type { Stretch } from '../vehicle/stretches.js';

const closed = { additionalProperties: false };
const distancePattern = '^\\d+(\\.\\d+)?\\s*(m|km)$';
const Distance = (description: string) =>
  Type.String({ pattern: distancePattern, unit: 'distance such as 300m, 1.5km', description });

/** Metres of a checked distance. */
const metres = (text: string): number => Number.parseFloat(text) * (text.endsWith('km') ? 1000 : 1);

/** A list of parts of the road. */
export const Stretches = (description: string) =>
  Type.Optional(
    Type.Array(
      Type.Object({ from: Distance('Metres of road from the start'), to: Distance('Where it ends') }, closed),
      { maxItems: 100, description },
    ),
  );

/** The same in metres; `refuse` is called with what is wrong with which of them. */
export const stretches = (
  given: readonly { from: string; to: string }[],
  refuse: (index: number, what: string) => never,
): Stretch[] =>
  given.map(({ from, to }, i) => {
    const [fromM, toM] = [metres(from), metres(to)];
    if (fromM < toM && toM <= LOOP_M) return { fromM, toM };
    return refuse(i, `must begin before it ends, within the ${LOOP_M / 1000} km of the road`);
  });
