import { FleetlogError } from '@fleetlog/shared/errors';
import { failureOf, physicalKindOf, type VehicleSetup } from '../vehicle/kinds.js';

/** Whether a kind of vehicle can be set up so. Errors: FLEETLOG_USAGE. */
export function checkSetup(
  kind: string,
  { failing, driving }: Pick<VehicleSetup, 'failing' | 'driving'>,
): void {
  const wrong = failing && failureOf(kind, failing);
  if (wrong) throw new FleetlogError('FLEETLOG_USAGE', `--failing ${failing}: ${wrong}.`);
  if (driving && !physicalKindOf(kind)) {
    throw new FleetlogError('FLEETLOG_USAGE', `--driving needs a --kind with physics, not ${kind}.`);
  }
}
