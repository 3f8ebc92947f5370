import { FleetlogError } from '@fleetlog/shared/errors';
import { dbcText } from '../vehicle/ecu/dbc.js';
import { describedNetwork } from '../vehicle/ecu/power/management.js';
import { kindNames, physicalKindOf } from '../vehicle/kinds.js';

/** `fleetlog-sim database KIND`: the DBC file of a kind of vehicle. Errors: FLEETLOG_USAGE. */
export function databaseText(kind: string): string {
  const physical = physicalKindOf(kind);
  if (physical) return dbcText(describedNetwork(physical.network));
  const kinds = kindNames.filter((name) => physicalKindOf(name));
  throw new FleetlogError('FLEETLOG_USAGE', `There is no database of "${kind}"; choose ${kinds.join(', ')}.`);
}
