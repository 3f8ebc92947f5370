import { FleetlogError } from '@fleetlog/shared/errors';
import type { Mount } from './types.js';
import { byStart, checkValidity, overlap, validityText, without } from './validity.js';

const namePattern = /^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,62}$/u;

/**
 * The mounts with one more. A gateway is in one vehicle at a time: where it moves at a moment, the mount that was open
 * until then ends there.
 * Errors: FLEETLOG_USAGE for a name that can't be, an empty validity, or one that overlaps another mount.
 */
export function addMount(mounts: readonly Mount[], added: Mount): Mount[] {
  if (!namePattern.test(added.vehicle)) {
    throw new FleetlogError(
      'FLEETLOG_USAGE',
      `A vehicle can't be called "${added.vehicle.slice(0, 80)}"; use letters, digits, spaces, ".", "-" and "_", at most 63.`,
    );
  }
  checkValidity(added);
  const kept = mounts.flatMap((other) => {
    if (other.gateway !== added.gateway || !overlap(other, added)) return [other];
    if (
      other.toUs === undefined &&
      added.fromUs !== undefined &&
      (other.fromUs ?? -Infinity) < added.fromUs
    ) {
      return [{ ...other, toUs: added.fromUs }];
    }
    throw new FleetlogError(
      'FLEETLOG_USAGE',
      `${other.gateway} is in ${other.vehicle} ${validityText(other)}; give a validity that does not overlap.`,
    );
  });
  return [...kept, added].sort(
    (a, b) => (a.vehicle === b.vehicle ? 0 : a.vehicle < b.vehicle ? -1 : 1) || byStart(a, b),
  );
}

/** Takes a gateway out of a vehicle, within a validity. */
export function removeMounts(mounts: readonly Mount[], which: Mount): { kept: Mount[]; touched: number } {
  let touched = 0;
  const kept = mounts.flatMap((one) => {
    const isMeant = one.gateway === which.gateway && one.vehicle === which.vehicle;
    if (!isMeant || !overlap(one, which)) return [one];
    touched++;
    return without(one, which);
  });
  return { kept, touched };
}
