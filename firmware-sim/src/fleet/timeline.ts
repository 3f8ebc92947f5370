import type { FleetPlan, PlannedVehicle, Stretch } from '../scenario/load.js';
import { physicalKindOf } from '../vehicle/kinds.js';

/** Something that happens to a run, µs after the start of the drive. */
export interface Happening {
  atUs: number;
  what: 'link' | 'power' | 'cloud';
  /** True where it comes back. */
  isUp: boolean;
  /** Empty for the cloud. */
  gateway: string;
  why: string;
}

const LOOK_US = 100_000;

/** All that goes wrong in a run, by place and by time, in order. A pure function of the plan. */
export function timelineOf(plan: FleetPlan): Happening[] {
  const { vehicles, deadZones, faults, durationUs } = plan;
  const happenings =
    deadZones.length === 0 ? [] : vehicles.flatMap((v) => passages(v, deadZones, durationUs));
  for (const { atUs, forUs, fault, gateways } of faults) {
    const what = fault === 'no-network' ? 'link' : fault === 'power-cut' ? 'power' : 'cloud';
    for (const gateway of what === 'cloud' ? [''] : gateways) {
      happenings.push({ atUs, what, isUp: false, gateway, why: fault });
      happenings.push({ atUs: atUs + forUs, what, isUp: true, gateway, why: fault });
    }
  }
  return happenings.sort((a, b) => a.atUs - b.atUs);
}

/** When a vehicle drives into and out of stretches of its road. */
function passages(vehicle: PlannedVehicle, stretches: readonly Stretch[], durationUs: number): Happening[] {
  const drive = physicalKindOf(vehicle.kind)!.create(vehicle.seed);
  const found: Happening[] = [];
  let wasInside = false;
  for (let atUs = 0; atUs <= durationUs; atUs += LOOK_US) {
    drive.advanceTo(atUs);
    const m = drive.placeM;
    const isInside = stretches.some(({ fromM, toM }) => m >= fromM && m < toM);
    if (isInside !== wasInside) {
      found.push({ atUs, what: 'link', isUp: !isInside, gateway: vehicle.gateway, why: 'dead zone' });
    }
    wasInside = isInside;
  }
  if (wasInside)
    found.push({ atUs: durationUs, what: 'link', isUp: true, gateway: vehicle.gateway, why: 'dead zone' });
  return found;
}

/** A happening for people: `00:12.5 taxi-1 loses its network (dead zone)`. */
export function happeningText({ atUs, what, isUp, gateway, why }: Happening): string {
  const seconds = atUs / 1e6;
  const time = `${String(Math.floor(seconds / 60)).padStart(2, '0')}:${(seconds % 60).toFixed(1).padStart(4, '0')}`;
  const who = what === 'cloud' ? 'the cloud' : gateway;
  const happens = {
    link: isUp ? 'has its network back' : 'loses its network',
    power: isUp ? 'has power again' : 'loses power',
    cloud: isUp ? 'is started again' : 'is killed',
  }[what];
  return `${time} ${who} ${happens} (${why}).`;
}
