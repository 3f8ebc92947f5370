import { checkConfig, Duration, durationMs, readYaml } from '@fleetlog/shared/config';
import { FleetlogError } from '@fleetlog/shared/errors';
import { Type, type Static } from '@fleetlog/shared/schema';
import { GATEWAY } from '../vehicle/ecu/errors/disturbances.js';
import type { BusDisturbances, Firmware, IgnitionPeriod, ReceiverSettings } from '../vehicle/firmware.js';
import { physicalKindOf } from '../vehicle/kinds.js';
import { Stretches, stretches } from './road.js';

type Refuse = (key: string, what: string) => never;

const DIAGNOSTICS_US_MIN = 1e6;
const closed = { additionalProperties: false };

const NodeFaultSchema = Type.Object(
  {
    node: Type.String({
      description: 'A node of the database, or GATEWAY, which sends with diagnostics only',
    }),
    at: Duration('When, from the start of the drive'),
    for: Duration('How long'),
    share: Type.Number({ exclusiveMinimum: 0, maximum: 1, default: 1, description: 'Of its frames' }),
    restart: Duration('How long it stays off after bus-off', '100ms'),
  },
  { ...closed, description: 'A node whose frames are destroyed' },
);

const ReceiverSchema = Type.Object(
  {
    start: Type.String({
      pattern: '^(cold|warm|hot)$',
      unit: 'start: cold, warm, hot',
      default: 'hot',
      description: 'What the GPS receiver knows when it is switched on',
    }),
    canyons: Stretches('By place: streets between high houses, which reflect what satellites send'),
  },
  { ...closed, description: 'A GPS receiver that was just switched on' },
);

const IgnitionSchema = Type.Object(
  {
    on: Duration('When the key is turned on, from the start of the drive'),
    off: Type.Optional(Duration('When it is turned off: as soon as the vehicle stands; default: never')),
  },
  closed,
);

/** How the electronics of a vehicle behave; `scenarios/README.md` explains it. */
export const FirmwareSchema = Type.Object(
  {
    diagnostics: Type.Optional(
      Duration('A tester asks the control unit for OBD-II and UDS that often; default: none does'),
    ),
    receiver: Type.Optional(ReceiverSchema),
    ignition: Type.Optional(
      Type.Array(IgnitionSchema, {
        minItems: 1,
        maxItems: 100,
        description: 'When control units are awake; default: all the time',
      }),
    ),
    bitErrorRate: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 0.001,
        description: 'Share of the bits on the bus that are disturbed; default 0',
      }),
    ),
    nodeFaults: Type.Optional(Type.Array(NodeFaultSchema, { minItems: 1, maxItems: 100 })),
  },
  { ...closed, description: 'How its electronics behave, for vehicles with physics' },
);

type GivenFirmware = Static<typeof FirmwareSchema>;

/**
 * A checked `firmware` of a kind of vehicle, spelled out. `path`: of its key. Errors: FLEETLOG_CONFIG with the path of
 * the key that is wrong.
 */
export function planFirmware(given: GivenFirmware, kind: string, path: string, source: string): Firmware {
  const refuse: Refuse = (key, what) => {
    throw new FleetlogError('FLEETLOG_CONFIG', `${source}: "${path}${key}" ${what}.`);
  };
  const physical = physicalKindOf(kind);
  if (!physical) return refuse('', `needs a vehicle with physics, which a ${kind} vehicle hasn't`);
  const { diagnostics } = given;
  if (diagnostics !== undefined && us(diagnostics) < DIAGNOSTICS_US_MIN) {
    refuse('.diagnostics', 'must be at least 1s');
  }
  const disturbances = planDisturbances(given, Object.keys(physical.network.nodes), refuse);
  return {
    ...(diagnostics !== undefined && { diagnosticsUs: us(diagnostics) }),
    ...(disturbances && { disturbances }),
    ...(given.ignition && { ignition: planIgnition(given.ignition, refuse) }),
    ...(given.receiver && { receiver: planReceiver(given.receiver, refuse) }),
  };
}

function planDisturbances(
  { bitErrorRate = 0, nodeFaults = [], diagnostics }: GivenFirmware,
  nodes: readonly string[],
  refuse: Refuse,
): BusDisturbances | undefined {
  if (bitErrorRate === 0 && nodeFaults.length === 0) return undefined;
  const senders = diagnostics === undefined ? nodes : [...nodes, GATEWAY];
  const faults = nodeFaults.map(({ node, at, for: lasts, share, restart }, i) => {
    if (!senders.includes(node))
      refuse(`.nodeFaults.${i}.node`, `must be one of ${senders.join(', ')}, not ${node}`);
    return { node, atUs: us(at), forUs: us(lasts), share, restartUs: us(restart) };
  });
  return { bitErrorRate, faults };
}

function planIgnition(given: NonNullable<GivenFirmware['ignition']>, refuse: Refuse): IgnitionPeriod[] {
  let afterUs = 0;
  return given.map(({ on, off }, i) => {
    const onUs = us(on);
    const offUs = off === undefined ? undefined : us(off);
    if (onUs < afterUs) refuse(`.ignition.${i}.on`, 'must come behind the period before');
    if (offUs !== undefined && offUs <= onUs) refuse(`.ignition.${i}.off`, 'must come after "on"');
    afterUs = offUs ?? Infinity;
    return { onUs, ...(offUs !== undefined && { offUs }) };
  });
}

const planReceiver = (
  { start, canyons = [] }: Static<typeof ReceiverSchema>,
  refuse: Refuse,
): ReceiverSettings => ({
  start: start as ReceiverSettings['start'],
  canyons: stretches(canyons, (i, what) => refuse(`.receiver.canyons.${i}`, what)),
});

/** A file with the keys of `firmware` alone. Errors: FLEETLOG_CONFIG. */
export const loadFirmware = (path: string, kind: string): Firmware =>
  planFirmware(checkConfig(FirmwareSchema, readYaml(path), path), kind, 'firmware', path);

const us = (text: string): number => Math.round(durationMs(text) * 1000);
