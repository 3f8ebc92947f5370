import { dbcText } from '../vehicle/ecu/dbc.js';
import { physicalKindOf, streamsOf } from '../vehicle/kinds.js';
import { ask } from '../verdict/ask.js';

/**
 * Tells a cloud what the frames of a fleet mean, so that signals can be asked for at once: a database for each kind,
 * named `simulated-KIND`, assigned to its vehicles' buses; the same again changes nothing. Errors: FLEETLOG_UNREACHABLE, FLEETLOG_INTERRUPTED.
 */
export async function teachCloud(
  url: string,
  vehicles: readonly { gateway: string; kind: string }[],
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
        body: dbcText(physical.network),
        headers: { 'content-type': 'application/octet-stream' },
        signal,
      },
    );
    const buses = streamsOf(kind).filter(({ format }) => format === 'candump');
    for (const { gateway } of vehicles.filter((vehicle) => vehicle.kind === kind)) {
      for (const { stream } of buses) {
        await ask(
          url,
          '/v1/assignments',
          { gateway, stream, database: name, replace: 'true' },
          { method: 'POST', signal },
        );
      }
    }
  }
}
