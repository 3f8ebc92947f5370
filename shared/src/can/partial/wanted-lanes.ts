import { DISTANCE, SUM, WIDE } from '../codec/lane-kinds.js';
import type { LanePlan } from '../codec/lane-plan.js';

/**
 * Which lanes of a channel have to be read for the wanted bytes: those, and what they follow from. `needed[k]` is 1 for
 * each such lane; behind the end of `wanted` nothing is wanted.
 */
export function chooseLanes(
  { kinds, others, summands }: Pick<LanePlan, 'kinds' | 'others' | 'summands'>,
  base: number,
  lanes: number,
  wanted: Uint8Array,
  needed: Uint8Array,
): void {
  let isSumNeeded = false;
  for (let lane = 0; lane < lanes; lane++) {
    needed[lane] = wanted[lane] === 1 ? 1 : 0;
    if (needed[lane] === 1 && kinds[base + lane] === SUM) isSumNeeded = true;
  }
  if (isSumNeeded) for (let lane = 0; lane < lanes; lane++) needed[lane] |= summands[base + lane];
  // The other lane of a distance comes before it, and may be one itself; it may also be half of a pair.
  for (let lane = lanes - 1; lane >= 0; lane--) {
    const kind = kinds[base + lane];
    if (kind === WIDE) {
      needed[lane] |= needed[lane - 1];
      lane--;
      needed[lane] |= needed[lane + 1];
    } else if (kind === DISTANCE && needed[lane] === 1) {
      needed[others[base + lane]] = 1;
    }
  }
}
