import { Ignition } from '../../ignition.js';
import { quantity as q, type Quantity } from '../../physics/quantities.js';
import type { PhysicalVehicle } from '../../physics/vehicle.js';
import { Prng } from '../../prng.js';
import type { IgnitionPeriod } from '../../firmware.js';
import type { NetworkSpec } from '../description.js';
import type { BusSender } from '../sender.js';
import { managementSenders, type ManagementSender } from './management.js';

/** A control unit still has work when the key is turned off: fans, stored values, doors. */
const RUNS_ON_US = [200_000, 1_500_000] as const;
/** AUTOSAR's NM timeout: when nobody has asked for the network for so long, messages end. */
const NOBODY_NEEDS_US = 1e6;
/** Between the ends of messages. */
const SWITCHES_OFF_US = 20_000;

/** What stands still without ignition. */
const stopped: readonly Quantity[] = [
  'engineSpeed',
  'engineTorque',
  'engineLoad',
  'fuelRate',
  'motorSpeed',
  'motorTorque',
  'pedal',
  'state',
];

/** Wakes the nodes of a network up with the key, and lets them fall asleep one by one when it is turned off. */
export class NetworkPower {
  readonly management: readonly ManagementSender[];
  private readonly ignition: Ignition;
  private readonly prng: Prng;
  private wasOn = false;

  constructor(
    vehicle: PhysicalVehicle,
    periods: readonly IgnitionPeriod[],
    network: NetworkSpec,
    { seed, interfaceName }: { seed: number; interfaceName: string },
  ) {
    this.prng = new Prng(seed, 80);
    this.ignition = new Ignition(vehicle, periods);
    this.management = managementSenders(network, interfaceName, this.prng);
  }

  /** All senders as they are at the start. */
  start(senders: readonly BusSender[]): void {
    this.wasOn = this.ignition.isOn;
    if (this.wasOn) for (const one of this.management) one.wake(0);
    else for (const one of senders) one.rest(0);
  }

  /** Lets the vehicle drive if it may; true where the key was turned, so that others are due. */
  advanceTo(nowUs: number, senders: readonly BusSender[]): boolean {
    this.ignition.advanceTo(nowUs);
    const { isOn } = this.ignition;
    if (isOn === this.wasOn) return false;
    this.wasOn = isOn;
    if (isOn) for (const one of senders) one.wake(nowUs);
    else this.fallAsleep(nowUs, senders);
    return true;
  }

  /** Takes what the engine does out of the newest values. */
  stop(values: Float64Array): void {
    if (!this.wasOn) for (const name of stopped) values[q[name]] = 0;
  }

  private fallAsleep(nowUs: number, senders: readonly BusSender[]): void {
    let lastUs = nowUs;
    for (const one of this.management) {
      const releasesUs = nowUs + this.prng.between(...RUNS_ON_US);
      one.rest(releasesUs);
      lastUs = Math.max(lastUs, releasesUs);
    }
    const managed = new Set<BusSender>(this.management);
    for (const one of senders) {
      if (!managed.has(one)) one.rest(lastUs + NOBODY_NEEDS_US + this.prng.between(0, SWITCHES_OFF_US));
    }
  }
}
