import { FleetlogError } from '@fleetlog/shared/errors';
import type { TimeRange } from '../query/plan.js';
import { streamSignals } from '../signals/directory.js';
import type { StreamSignal } from '../signals/stream-signal.js';
import type { ApiContext } from './context.js';
import { checkFilter } from './find-stream.js';
import { unknownName } from './nearest-names.js';

/** Whose values are asked for. */
export interface Whose {
  /** For people. */
  name: string;
  /** When each gateway counts, by time. */
  gateways: ReadonlyMap<string, readonly TimeRange[]>;
  signals: StreamSignal[];
}

/**
 * One gateway, or those that are in a vehicle, while they are. Errors: FLEETLOG_USAGE for both or none,
 * FLEETLOG_NOT_FOUND for one that isn't known, or has no signals.
 */
export async function findWhose(
  context: ApiContext,
  { gateway, vehicle }: { gateway?: string; vehicle?: string },
): Promise<Whose> {
  const { index, fleet, catalogue } = context;
  if ((gateway === undefined) === (vehicle === undefined)) {
    throw new FleetlogError('FLEETLOG_USAGE', 'Say either which gateway or which vehicle.');
  }
  const gateways = new Map<string, TimeRange[]>();
  if (gateway !== undefined) gateways.set(gateway, [{ fromUs: -Infinity, toUs: Infinity }]);
  for (const mount of catalogue.mounts) {
    if (mount.vehicle !== vehicle) continue;
    const range = { fromUs: mount.fromUs ?? -Infinity, toUs: mount.toUs ?? Infinity };
    gateways.set(mount.gateway, [...(gateways.get(mount.gateway) ?? []), range]);
  }
  if (vehicle !== undefined && gateways.size === 0) {
    throw unknownName('vehicle', vehicle, [...new Set(catalogue.mounts.map((mount) => mount.vehicle))]);
  }
  for (const ranges of gateways.values()) ranges.sort((a, b) => a.fromUs - b.fromUs);
  const signals: StreamSignal[] = [];
  for (const one of gateways.keys()) signals.push(...(await streamSignals(context, { gateway: one })));
  const name = gateway ?? `vehicle ${vehicle}`;
  if (signals.length > 0) return { name, gateways, signals };
  if (gateway !== undefined) await checkFilter(index, fleet, { gateway });
  throw unassigned(name, gateway ?? [...gateways.keys()][0], 'S');
}

/** A name that begins with a stream to which no database is assigned is told so. */
export async function checkAssigned({ index }: ApiContext, whose: Whose, name: string): Promise<void> {
  const [stream, ...rest] = name.split('/');
  if (rest.length === 0 || whose.signals.some((one) => one.stream === stream)) return;
  for (const gateway of whose.gateways.keys()) {
    if (await index.stream(gateway, stream)) throw unassigned(`${gateway} ${stream}`, gateway, stream);
  }
}

/** Errors: FLEETLOG_USAGE where two gateways of a vehicle have a signal at the same time. */
export function checkTurns({ gateways }: Whose, name: string, signals: readonly StreamSignal[]): void {
  const own = [...new Set(signals.map(({ gateway }) => gateway))];
  const ranges = own.flatMap((gateway) => gateways.get(gateway) ?? []).sort((a, b) => a.fromUs - b.fromUs);
  if (ranges.every(({ fromUs }, i) => i === 0 || ranges[i - 1].toUs <= fromUs)) return;
  throw new FleetlogError(
    'FLEETLOG_USAGE',
    `${name} is ambiguous: ${own.join(' and ')} have it and are in the vehicle at the same time; ask for one with gateway.`,
  );
}

const unassigned = (to: string, gateway: string, stream: string): FleetlogError =>
  new FleetlogError(
    'FLEETLOG_NOT_FOUND',
    `No database is assigned to ${to}; "fleetlog assign --gateway ${gateway} --stream ${stream} --database N" does that.`,
  );
