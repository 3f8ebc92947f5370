import type { FleetPlan, PlannedVehicle } from '../scenario/load.js';
import type { FaultName } from '../scenario/schema.js';
import { Ignition } from '../vehicle/ignition.js';
import { physicalKindOf } from '../vehicle/kinds.js';
import type { Stretch } from '../vehicle/stretches.js';

/** Something that happens to a run, µs after the start of the drive. */
export interface Happening {
  atUs: number;
  what: FaultName;
  /** True where it comes back. */
  isUp: boolean;
  /** Empty for the cloud. */
  gateway: string;
  why: string;
  /** `by` and `budget` of the fault. */
  byUs?: number;
  budgetBytes?: number;
}

const LOOK_US = 100_000;

/** All that goes wrong in a run, by place and by time, in order. A pure function of the plan. */
export function timelineOf(plan: FleetPlan): Happening[] {
  const { vehicles, deadZones, faults, durationUs } = plan;
  const happenings =
    deadZones.length === 0 ? [] : vehicles.flatMap((v) => passages(v, deadZones, durationUs));
  for (const { atUs, forUs, fault: what, gateways, ...more } of faults) {
    for (const gateway of gateways.length === 0 ? [''] : gateways) {
      happenings.push({ atUs, what, isUp: false, gateway, why: what, ...more });
      happenings.push({ atUs: atUs + forUs, what, isUp: true, gateway, why: what, ...more });
    }
  }
  return happenings.sort((a, b) => a.atUs - b.atUs);
}

/** When a vehicle drives into and out of stretches of its road. */
function passages(vehicle: PlannedVehicle, stretches: readonly Stretch[], durationUs: number): Happening[] {
  const { departsUs, lastsUs } = vehicle.trip ?? { departsUs: 0, lastsUs: durationUs };
  const alwaysOn = physicalKindOf(vehicle.kind)!.create(vehicle.seed, vehicle);
  const ignition = vehicle.firmware?.ignition;
  const drive = ignition ? new Ignition(alwaysOn, ignition) : alwaysOn;
  const found: Happening[] = [];
  let wasInside = false;
  for (let drivenUs = 0; drivenUs <= lastsUs; drivenUs += LOOK_US) {
    const atUs = departsUs + drivenUs;
    drive.advanceTo(drivenUs);
    const m = drive.placeM;
    const isInside = stretches.some(({ fromM, toM }) => m >= fromM && m < toM);
    if (isInside !== wasInside) {
      found.push({ atUs, what: 'no-network', isUp: !isInside, gateway: vehicle.gateway, why: 'dead zone' });
    }
    wasInside = isInside;
  }
  if (wasInside)
    found.push({
      atUs: departsUs + lastsUs,
      what: 'no-network',
      isUp: true,
      gateway: vehicle.gateway,
      why: 'dead zone',
    });
  return found;
}

/** A happening for people: `00:12.5 taxi-1 loses its network (dead zone)`. */
export function happeningText({ atUs, what, isUp, gateway, why }: Happening): string {
  const seconds = atUs / 1e6;
  const time = `${String(Math.floor(seconds / 60)).padStart(2, '0')}:${(seconds % 60).toFixed(1).padStart(4, '0')}`;
  const who = gateway === '' ? 'the cloud' : gateway;
  return `${time} ${who} ${words[what][isUp ? 1 : 0]} (${why}).`;
}

/** What is said when it begins, and when it is over. */
const words: Record<FaultName, [begins: string, ends: string]> = {
  'no-network': ['loses its network', 'has its network back'],
  satellite: ['has a satellite link', 'has its fast link back'],
  roaming: ['pays for each byte', 'is at home again'],
  'power-cut': ['loses power', 'has power again'],
  'clock-jump': ['has its clock set', 'has its clock set right'],
  'disk-full': ['has no space left on its card', 'has space on its card again'],
  'disk-readonly': ['has a card that takes no writes', 'has a card that works again'],
  'disk-error': ['has a card that fails', 'has a card that works again'],
  'cloud-restart': ['is killed', 'is started again'],
  hostile: ['is attacked', 'is left alone again'],
};
