import { dbcText } from '../vehicle/ecu/dbc.js';
import { describedNetwork } from '../vehicle/ecu/power/management.js';
import { physicalKindOf, streamsOf } from '../vehicle/kinds.js';
import type { PlannedVehicle } from '../scenario/load.js';
import { ask } from '../verdict/ask.js';

/** The cloud's own, of answers to OBD-II and UDS. */
const OBD = 'obd2';

/**
 * Tells a cloud what the frames of a fleet mean, so that signals can be asked for at once: a database for each kind,
 * named `simulated-KIND`, assigned to its vehicles' buses; the same again changes nothing. Errors: FLEETLOG_UNREACHABLE, FLEETLOG_INTERRUPTED.
 */
export async function teachCloud(
  url: string,
  vehicles: readonly Pick<PlannedVehicle, 'gateway' | 'kind' | 'firmware'>[],
  signal: AbortSignal,
): Promise<void> {
  for (const kind of new Set(vehicles.map((vehicle) => vehicle.kind))) {
    const physical = physicalKindOf(kind);
    if (!physical) continue;
    const name = `simulated-${kind}`;
    await ask(
      url,
      '/v1/databases',
      { name, file: `${kind}.dbc` },
      {
        method: 'POST',
        body: dbcText(describedNetwork(physical.network)),
        headers: { 'content-type': 'application/octet-stream' },
        signal,
      },
    );
    const buses = streamsOf(kind).filter(({ format }) => format === 'candump');
    for (const { gateway, firmware } of vehicles.filter((vehicle) => vehicle.kind === kind)) {
      const assigned = firmware?.diagnosticsUs === undefined ? [name] : [name, OBD];
      for (const { stream } of buses) {
        for (const database of assigned) {
          await ask(
            url,
            '/v1/assignments',
            // Both apply: the answers' identifiers are no messages of the vehicle's.
            { gateway, stream, database, replace: 'true' },
            { method: 'POST', signal },
          );
        }
      }
    }
  }
}
