import { FleetlogError } from '@fleetlog/shared/errors';
import { isoMicros } from '../../export/iso-time.js';
import type { Validity } from './types.js';

const startOf = ({ fromUs = -Infinity }: Validity): number => fromUs;
const endOf = ({ toUs = Infinity }: Validity): number => toUs;

export const overlap = (a: Validity, b: Validity): boolean => startOf(a) < endOf(b) && startOf(b) < endOf(a);

export const byStart = (a: Validity, b: Validity): number => {
  const [left, right] = [startOf(a), startOf(b)];
  return left === right ? 0 : left - right;
};

/** Errors: FLEETLOG_USAGE where nothing is in it. */
export function checkValidity(validity: Validity): void {
  if (startOf(validity) < endOf(validity)) return;
  throw new FleetlogError('FLEETLOG_USAGE', 'The validity is empty: its begin must be before its end.');
}

/** What is left of `validity` where `taken` isn't: nothing, one part or two. */
export function without<T extends Validity>(validity: T, taken: Validity): T[] {
  if (!overlap(validity, taken)) return [validity];
  const rest: T[] = [];
  if (startOf(validity) < startOf(taken)) rest.push({ ...validity, toUs: taken.fromUs });
  if (endOf(taken) < endOf(validity)) rest.push({ ...validity, fromUs: taken.toUs });
  return rest;
}

/** `from … until …`, for people. */
export function validityText({ fromUs, toUs }: Validity): string {
  if (fromUs === undefined && toUs === undefined) return 'always';
  const from = fromUs === undefined ? '' : `from ${isoMicros(fromUs)}`;
  const to = toUs === undefined ? '' : `until ${isoMicros(toUs)}`;
  return [from, to].filter((part) => part !== '').join(' ');
}
