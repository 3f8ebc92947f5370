import type { Stretch } from './stretches.js';

/** How the electronics of a vehicle behave, beside what its network says; by default they do nothing of it. */
export interface Firmware {
  /** A telematics unit asks the control unit of engine or drive that often, µs. */
  diagnosticsUs?: number;
  disturbances?: BusDisturbances;
  receiver?: ReceiverSettings;
  /** In order; on all the time where absent. */
  ignition?: IgnitionPeriod[];
}

/** When the key is turned, µs since the start. */
export interface IgnitionPeriod {
  onUs: number;
  /** Not before the vehicle stands; never where absent. */
  offUs?: number;
}

/** A GPS receiver that was just switched on, and where houses reflect. */
export interface ReceiverSettings {
  /** What it still knows: nothing; time and almanac; also where its satellites are. */
  start: 'cold' | 'warm' | 'hot';
  /** Street canyons, metres of the road. */
  canyons: Stretch[];
}

/** What destroys frames. */
export interface BusDisturbances {
  /** Share of all bits on the bus that are disturbed. */
  bitErrorRate: number;
  faults: NodeFault[];
}

/** A control unit whose frames get destroyed, as by a bad contact of its own. */
interface NodeFault {
  /** Of the network; GATEWAY is the one that listens and asks. */
  node: string;
  atUs: number;
  forUs: number;
  /** Of its frames, 0 to 1. */
  share: number;
  /** How long its software waits after bus-off; the standard's 1408 bits at least. */
  restartUs: number;
}
