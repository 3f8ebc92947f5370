import { candumpText } from './can-bus.js';
import { VehicleBus } from './ecu/bus.js';
import type { NetworkSpec } from './ecu/description.js';
import type { Firmware } from './firmware.js';
import { nmeaText } from './gps.js';
import { cityBus } from './networks/city-bus.js';
import { combustionCar } from './networks/combustion-car.js';
import { electricCar } from './networks/electric-car.js';
import { refuseTruck } from './networks/refuse-truck.js';
import { trainSet } from './networks/train-set.js';
import { truck } from './networks/truck.js';
import {
  busBody,
  busDrive,
  carBody,
  dieselEngine,
  electricBody,
  electricDrive,
  petrolEngine,
  refuseBody,
  refuseEngine,
  trainBody,
  trainDrive,
  truckBody,
} from './physics/bodies.js';
import { Combustion } from './physics/combustion.js';
import { Electric } from './physics/electric.js';
import { Doors, RefuseBody } from './physics/equipment.js';
import type { Driving } from './physics/driving.js';
import type { FailingPart } from './physics/failing.js';
import type { Stretch } from './stretches.js';
import { PhysicalVehicle } from './physics/vehicle.js';

/** What a stream of a vehicle is made of. */
export interface SpeechOptions extends VehicleSetup {
  seed: number;
  /** Time of the drive's start, µs since the Unix epoch. */
  startUs: number;
  durationUs: number;
  fixRateHz: number;
  /** For kinds with physics. */
  firmware?: Firmware;
}

/** How a vehicle with physics is set up; by default nothing of it. */
export interface VehicleSetup {
  /** Metres of its road without satellites. */
  tunnels?: readonly Stretch[];
  /** A part that it has. */
  failing?: FailingPart;
  driving?: Driving;
}

/** One thing in a vehicle that speaks, and how a gateway hears it. */
export interface VehicleStream {
  stream: string;
  format: 'candump' | 'lines';
  /** All that it says in a drive, in chunks of whole lines. A pure function of the options. */
  speak: (options: SpeechOptions) => Iterable<Uint8Array | string>;
}

/** A kind that is a model of a vehicle: what moves, and what its bus says of it. */
interface PhysicalKind {
  network: NetworkSpec;
  create: (seed: number, setup?: VehicleSetup) => PhysicalVehicle;
  /** The part that it has of those that can fail. */
  canFail: FailingPart;
}

interface VehicleKind {
  description: string;
  streams: readonly VehicleStream[];
  physical?: PhysicalKind;
}

function physicalKind(
  description: string,
  network: NetworkSpec,
  create: PhysicalKind['create'],
  canFail: FailingPart,
): VehicleKind {
  return {
    description,
    physical: { network, create, canFail },
    streams: [
      {
        stream: 'can0',
        format: 'candump',
        speak: (options) => busText(create(options.seed, options), network, options),
      },
      {
        stream: 'gps0',
        format: 'lines',
        speak: (options) => nmeaText({ ...options, motion: create(options.seed, options) }),
      },
    ],
  };
}

const kinds: Record<string, VehicleKind> = {
  generic: {
    description: 'the vehicle of `fleetlog-sim drive`: 51 messages in 11-bit identifiers, no database',
    streams: [
      { stream: 'can0', format: 'candump', speak: candumpText },
      { stream: 'gps0', format: 'lines', speak: nmeaText },
    ],
  },
  'combustion-car': physicalKind(
    'a passenger car with a petrol engine and six gears',
    combustionCar,
    (seed, setup = {}) =>
      new PhysicalVehicle(
        seed,
        carBody,
        (start) => new Combustion(petrolEngine, start, setup.failing),
        setup,
      ),
    'coolant-leak',
  ),
  'electric-car': physicalKind(
    'a passenger car with a battery, which wins back energy',
    electricCar,
    (seed, setup = {}) =>
      new PhysicalVehicle(
        seed,
        electricBody,
        (start) => new Electric(electricDrive, start, setup.failing),
        setup,
      ),
    'weak-cell',
  ),
  truck: physicalKind(
    'a truck of 26 t that speaks J1939',
    truck,
    (seed, setup = {}) =>
      new PhysicalVehicle(
        seed,
        truckBody,
        (start) => new Combustion(dieselEngine, start, setup.failing),
        setup,
      ),
    'coolant-leak',
  ),
  'city-bus': physicalKind(
    'a battery-electric city bus with doors and passengers',
    cityBus,
    (seed, setup = {}) =>
      new PhysicalVehicle(
        seed,
        busBody,
        (start) => new Electric(busDrive, start, setup.failing),
        setup,
        new Doors(seed, 3, 90, busBody.brakeForceMaxN),
      ),
    'weak-cell',
  ),
  'refuse-truck': physicalKind(
    'a refuse truck that weighs each bin',
    refuseTruck,
    (seed, setup = {}) =>
      new PhysicalVehicle(
        seed,
        refuseBody,
        (start) => new Combustion(refuseEngine, start, setup.failing),
        setup,
        new RefuseBody(seed, 9000),
      ),
    'coolant-leak',
  ),
  'train-set': physicalKind(
    'a battery train set of three cars, CANopen',
    trainSet,
    (seed, setup = {}) =>
      new PhysicalVehicle(
        seed,
        trainBody,
        (start) => new Electric(trainDrive, start, setup.failing),
        setup,
        new Doors(seed, 6, 240, trainBody.brakeForceMaxN),
      ),
    'weak-cell',
  ),
};

export const kindNames = Object.keys(kinds);

/** What a kind of vehicle has on board. */
export const streamsOf = (kind: string): readonly VehicleStream[] => kinds[kind].streams;

/** The model behind a kind; undefined where there is none. */
export const physicalKindOf = (kind: string): PhysicalKind | undefined => kinds[kind]?.physical;

/** Errors: a sentence about a kind that doesn't have the part. */
export function failureOf(kind: string, failing: FailingPart): string | undefined {
  const canFail = kinds[kind]?.physical?.canFail;
  if (canFail === failing) return undefined;
  return `a ${kind} vehicle has no ${failing}; ${canFail ? `its part that can fail is ${canFail}` : 'it has no physics'}`;
}

function* busText(
  vehicle: PhysicalVehicle,
  network: NetworkSpec,
  options: SpeechOptions,
): Generator<Uint8Array> {
  const bus = new VehicleBus(vehicle, network, options);
  for (let text = bus.next(options.durationUs); text.length > 0; text = bus.next(options.durationUs))
    yield text;
}
