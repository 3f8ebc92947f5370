import { createHash } from 'node:crypto';
import { checkConfig, durationMs, readYaml } from '@fleetlog/shared/config';
import { FleetlogError } from '@fleetlog/shared/errors';
import { failureOf, physicalKindOf } from '../vehicle/kinds.js';
import type { Driving } from '../vehicle/physics/driving.js';
import type { FailingPart } from '../vehicle/physics/failing.js';
import type { Firmware } from '../vehicle/firmware.js';
import { Prng } from '../vehicle/prng.js';
import { planFirmware } from './firmware.js';
import { stretches } from './road.js';
import { budgetBytes, ScenarioSchema, type FaultName, type Scenario } from './schema.js';
import type { Stretch } from '../vehicle/stretches.js';

const DURATION_US_MAX = 86_400e6;
/** Each is a gateway. */
const VEHICLES_MAX = 1000;

/** Something that goes wrong at a time. */
interface PlannedFault {
  atUs: number;
  forUs: number;
  fault: FaultName;
  /** Empty for what happens to the cloud. */
  gateways: readonly string[];
  /** How far a clock is set. */
  byUs?: number;
  /** What a metered link lets through. */
  budgetBytes?: number;
}

/** One vehicle of a fleet: what it says is a function of these fields and the time of the start. */
export interface PlannedVehicle {
  gateway: string;
  kind: string;
  seed: number;
  fixRateHz: number;
  /** Without satellites; absent where there are none. */
  tunnels?: Stretch[];
  firmware?: Firmware;
  failing?: FailingPart;
  driving?: Driving;
  /** When it departs, µs after the start, and how long it drives; absent where it does so all the time. */
  trip?: Trip;
}

/** A part of a scenario's duration, µs. */
interface Trip {
  departsUs: number;
  lastsUs: number;
}

/** A checked scenario, spelled out. */
export interface FleetPlan {
  name: string;
  seed: number;
  durationUs: number;
  /** Where time is virtual, µs since the Unix epoch. */
  virtualStartUs: number;
  /** Infinity: as fast as the machine can. */
  speed: number;
  vehicles: PlannedVehicle[];
  /** Without network; tunnels among them. */
  deadZones: readonly Stretch[];
  faults: readonly PlannedFault[];
}

/** Reads and checks a scenario. Errors: FLEETLOG_CONFIG with the path of each key that is wrong. */
export function loadScenario(path: string): FleetPlan {
  return planFleet(checkConfig(ScenarioSchema, readYaml(path), path), path);
}

function planFleet(scenario: Scenario, source: string): FleetPlan {
  const { name, seed, duration, start = '2026-01-01T08:00:00Z', speed } = scenario;
  const durationUs = Math.round(durationMs(duration) * 1000);
  if (durationUs <= 0 || durationUs > DURATION_US_MAX) {
    throw refused(source, '"duration" must be more than 0 and at most 24h');
  }
  const virtualStartUs = Date.parse(start) * 1000;
  if (!Number.isFinite(virtualStartUs)) throw refused(source, `"start" is no date: ${start}`);
  const stretchesOf = (key: 'tunnels' | 'deadZones'): Stretch[] =>
    stretches(scenario[key] ?? [], (i, what) => {
      throw refused(source, `"${key}.${i}" ${what}`);
    });
  const tunnels = stretchesOf('tunnels');
  const zones = stretchesOf('deadZones');
  const tripOf = (lasts: string, vehicleSeed: number, wholeUs: number, key: string): Trip => {
    const lastsUs = Math.round(durationMs(lasts) * 1000);
    if (lastsUs <= 0 || lastsUs > wholeUs)
      throw refused(source, `"${key}" must be above 0 and within the duration`);
    // Whole seconds, so that minutes and fixes are where they are without a trip.
    const departsUs = Math.floor(new Prng(vehicleSeed, 41).between(0, wholeUs - lastsUs) / 1e6) * 1e6;
    return { departsUs, lastsUs };
  };
  if (
    Object.values(scenario.vehicles).some(({ trip }) => trip !== undefined) &&
    speed !== 1 &&
    speed !== 'max'
  ) {
    throw refused(source, '"trip" goes with real time and virtual time ("speed": 1 or max) only');
  }
  const vehicles = Object.entries(scenario.vehicles).flatMap(
    ([group, { kind, count, fixRate, trip, firmware, failing, driving }]) =>
      Array.from({ length: count }, (_, i): PlannedVehicle => {
        const gateway = count === 1 ? group : `${group}-${i + 1}`;
        return {
          gateway,
          kind,
          seed: seedOf(seed, gateway),
          fixRateHz: fixRate,
          ...(tunnels.length > 0 && { tunnels }),
          ...(firmware && {
            firmware: planFirmware(firmware, kind, `vehicles.${group}.firmware`, source),
          }),
          ...(failing !== undefined && { failing: failing as FailingPart }),
          ...(driving !== undefined && { driving: driving as Driving }),
          ...(trip !== undefined && {
            trip: tripOf(trip, seedOf(seed, gateway), durationUs, `vehicles.${group}.trip`),
          }),
        };
      }),
  );
  if (vehicles.length === 0 || vehicles.length > VEHICLES_MAX) {
    throw refused(source, `"vehicles" must be 1 to ${VEHICLES_MAX} in all, not ${vehicles.length}`);
  }
  for (const [group, { kind, failing, driving }] of Object.entries(scenario.vehicles)) {
    if (driving !== undefined && !physicalKindOf(kind))
      throw refused(source, `"vehicles.${group}.driving": a ${kind} vehicle has no physics`);
    const wrong = failing === undefined ? undefined : failureOf(kind, failing as FailingPart);
    if (wrong !== undefined) throw refused(source, `"vehicles.${group}.failing": ${wrong}`);
  }
  const twice = vehicles.find(({ gateway }, i) => vehicles.findIndex((v) => v.gateway === gateway) !== i);
  if (twice) throw refused(source, `two of "vehicles" come out as ${twice.gateway}; rename one`);
  const roadless = vehicles.find(({ kind }) => !physicalKindOf(kind));
  if (roadless && tunnels.length + zones.length > 0) {
    throw refused(source, `"tunnels" and "deadZones" need a road, which a ${roadless.kind} vehicle hasn't`);
  }
  return {
    name,
    seed,
    durationUs,
    virtualStartUs,
    speed: speed === 'max' ? Infinity : speed,
    vehicles,
    deadZones: [...tunnels, ...zones],
    faults: (scenario.faults ?? []).map((fault, i) =>
      planFault(fault, `faults.${i}`, vehicles, durationUs, source),
    ),
  };
}

function planFault(
  { at, for: lasts, fault, by, budget, vehicles: names }: NonNullable<Scenario['faults']>[number],
  key: string,
  vehicles: readonly PlannedVehicle[],
  durationUs: number,
  source: string,
): PlannedFault {
  const atUs = Math.round(durationMs(at) * 1000);
  const forUs = Math.round(durationMs(lasts) * 1000);
  if (atUs >= durationUs) throw refused(source, `"${key}.at" is behind the end of the drive`);
  const kind = fault as FaultName;
  for (const [name, value, owner] of [
    ['by', by, 'clock-jump'],
    ['budget', budget, 'roaming'],
  ] as const) {
    if (kind === owner && value === undefined) throw refused(source, `missing key "${key}.${name}"`);
    if (kind !== owner && value !== undefined)
      throw refused(source, `"${key}.${name}" doesn't go with ${kind}; remove it`);
  }
  if (kind === 'cloud-restart' || kind === 'hostile') {
    if (names) throw refused(source, `"${key}.vehicles" doesn't go with a ${kind}; remove it`);
    return { atUs, forUs, fault: kind, gateways: [] };
  }
  const gateways = (names ?? ['']).flatMap((name) => {
    const group = new RegExp(`^${name}-\\d+$`);
    const members = vehicles.filter(({ gateway }) => name === '' || gateway === name || group.test(gateway));
    if (members.length === 0) throw refused(source, `"${key}.vehicles": there is no vehicle "${name}"`);
    return members.map(({ gateway }) => gateway);
  });
  return {
    atUs,
    forUs,
    fault: kind,
    gateways: [...new Set(gateways)],
    ...(by !== undefined && {
      byUs: (by.startsWith('-') ? -1 : 1) * Math.round(durationMs(by.slice(1)) * 1000),
    }),
    ...(budget !== undefined && { budgetBytes: budgetBytes(budget) }),
  };
}

/** Of one vehicle: another vehicle in the scenario changes nothing for it. */
const seedOf = (seed: number, gateway: string): number =>
  createHash('sha256').update(`${seed} ${gateway}`).digest().readUInt32BE();

const refused = (source: string, what: string): FleetlogError =>
  new FleetlogError('FLEETLOG_CONFIG', `${source}: ${what}.`);
