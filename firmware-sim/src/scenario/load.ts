import { createHash } from 'node:crypto';
import { checkConfig, durationMs, readYaml } from '@fleetlog/shared/config';
import { FleetlogError } from '@fleetlog/shared/errors';
import { ScenarioSchema, type Scenario } from './schema.js';

const DURATION_US_MAX = 86_400e6;
/** Each is a gateway. */
const VEHICLES_MAX = 1000;

/** One vehicle of a fleet: what it says is a function of these fields and the time of the start. */
export interface PlannedVehicle {
  gateway: string;
  kind: string;
  seed: number;
  fixRateHz: number;
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
  const vehicles = Object.entries(scenario.vehicles).flatMap(([group, { kind, count, fixRate }]) =>
    Array.from({ length: count }, (_, i): PlannedVehicle => {
      const gateway = count === 1 ? group : `${group}-${i + 1}`;
      return { gateway, kind, seed: seedOf(seed, gateway), fixRateHz: fixRate };
    }),
  );
  if (vehicles.length === 0 || vehicles.length > VEHICLES_MAX) {
    throw refused(source, `"vehicles" must be 1 to ${VEHICLES_MAX} in all, not ${vehicles.length}`);
  }
  const twice = vehicles.find(({ gateway }, i) => vehicles.findIndex((v) => v.gateway === gateway) !== i);
  if (twice) throw refused(source, `two of "vehicles" come out as ${twice.gateway}; rename one`);
  return {
    name,
    seed,
    durationUs,
    virtualStartUs,
    speed: speed === 'max' ? Infinity : speed,
    vehicles,
  };
}

/** Of one vehicle: another vehicle in the scenario changes nothing for it. */
const seedOf = (seed: number, gateway: string): number =>
  createHash('sha256').update(`${seed} ${gateway}`).digest().readUInt32BE();

const refused = (source: string, what: string): FleetlogError =>
  new FleetlogError('FLEETLOG_CONFIG', `${source}: ${what}.`);
