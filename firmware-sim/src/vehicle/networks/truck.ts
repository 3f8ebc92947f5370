import type { MessageSpec, NetworkSpec } from '../ecu/description.js';
import { j1939Groups, twoBits } from './j1939.js';
import { KMH, little, plain } from './signals.js';

const group = j1939Groups({ ENG: 0x00, TRN: 0x03, BRK: 0x0b, INS: 0x17, TCO: 0xee });

/** What a chassis says of itself. */
interface Chassis {
  /** To which torque in percent refers. */
  referenceNm: number;
  /** Revolutions per minute of the gearbox's output at 1 m/s. */
  outputShaftPerMps: number;
}

export const chassisNodes = {
  ENG: 'Engine (address 0)',
  TRN: 'Gearbox (address 3)',
  BRK: 'Brakes (address 11)',
  INS: 'Instrument cluster (address 23)',
  TCO: 'Tachograph (address 238)',
};

/** The groups of a diesel chassis as SAE J1939-71 describes them. */
export const chassisGroups = ({ referenceNm, outputShaftPerMps }: Chassis): MessageSpec[] => [
  group(['EEC1', 0xf004, 3], 'ENG', 20, 'Electronic engine controller 1.', [
    little('EngineTorqueMode', [0, 4], plain, 'state', {
      labels: { 0: 'LowIdle', 1: 'AcceleratorPedal', 2: 'CruiseControl' },
    }),
    little('DriverDemandTorque', [8, 8], [1, -125, '%'], 'pedal'),
    little('ActualEngineTorque', [16, 8], [1, -125, '%'], 'engineTorque', {
      scale: 100 / referenceNm,
      sensor: { noise: 0.3 },
    }),
    little('EngineSpeed', [24, 16], [0.125, 0, 'rpm'], 'engineSpeed', { sensor: { noise: 1.5 } }),
  ]),
  group(['EEC2', 0xf003, 3], 'ENG', 50, 'Electronic engine controller 2.', [
    little('AcceleratorPedalPosition', [8, 8], [0.4, 0, '%'], 'pedal', { sensor: { noise: 0.1 } }),
    little('EnginePercentLoad', [16, 8], [1, 0, '%'], 'engineLoad', { sensor: { noise: 0.3 } }),
  ]),
  group(['ETC1', 0xf002, 3], 'TRN', 10, 'Electronic transmission controller 1.', [
    little('ShiftInProcess', [4, 2], plain, 0, { labels: twoBits }),
    little('OutputShaftSpeed', [8, 16], [0.125, 0, 'rpm'], 'speed', {
      scale: outputShaftPerMps,
      sensor: { noise: 0.5 },
    }),
  ]),
  group(
    ['ETC2', 0xf005, 6],
    'TRN',
    100,
    'Electronic transmission controller 2: gears; at once when they change.',
    [
      little('SelectedGear', [0, 8], [1, -125, ''], 'gear'),
      little('CurrentGear', [24, 8], [1, -125, ''], 'gear'),
    ],
    { event: 'gear' },
  ),
  group(['EBC1', 0xf001, 6], 'BRK', 100, 'Electronic brake controller 1.', [
    little('BrakePedalPosition', [8, 8], [0.4, 0, '%'], 'brakePressure', {
      scale: 100 / 120,
      sensor: { noise: 0.1 },
    }),
  ]),
  group(['EBC2', 0xfebf, 6], 'BRK', 100, 'Wheel speeds: front axle, and the others relative to it.', [
    little('FrontAxleSpeed', [0, 16], [1 / 256, 0, 'km/h'], 'speed', {
      scale: KMH,
      sensor: { noise: 0.02, delayMs: 20 },
    }),
  ]),
  group(
    ['CCVS1', 0xfef1, 6],
    'ENG',
    100,
    'Cruise control and vehicle speed; at once when the brake is touched.',
    [
      little('WheelBasedVehicleSpeed', [8, 16], [1 / 256, 0, 'km/h'], 'speed', {
        scale: KMH,
        sensor: { noise: 0.03, bias: 0.1, delayMs: 40 },
      }),
      little('CruiseControlActive', [24, 2], plain, 0, { labels: twoBits }),
      little('BrakeSwitch', [28, 2], plain, 'brakePedal', { labels: twoBits }),
    ],
    { event: 'brakePedal' },
  ),
  group(['TCO1', 0xfe6c, 3], 'TCO', 50, 'Tachograph.', [
    little('Driver1WorkingState', [0, 3], plain, 3, {
      labels: { 0: 'Rest', 1: 'DriverAvailable', 2: 'Work', 3: 'Drive' },
    }),
    little('TachographVehicleSpeed', [48, 16], [1 / 256, 0, 'km/h'], 'speed', {
      scale: KMH,
      sensor: { bias: 0.15, delayMs: 60 },
    }),
  ]),
  group(['LFE1', 0xfef2, 6], 'ENG', 100, 'Fuel economy.', [
    little('EngineFuelRate', [0, 16], [0.05, 0, 'l/h'], 'fuelRate', { sensor: { noise: 0.05 } }),
  ]),
  group(['ET1', 0xfeee, 6], 'ENG', 1000, 'Engine temperatures.', [
    little('EngineCoolantTemperature', [0, 8], [1, -40, 'degC'], 'coolantTemperature', {
      sensor: { bias: 0.5 },
    }),
    little('EngineOilTemperature', [16, 16], [0.03125, -273, 'degC'], 'oilTemperature', {
      sensor: { noise: 0.1, bias: 0.5 },
    }),
  ]),
  group(['AMB', 0xfef5, 6], 'ENG', 1000, 'Ambient conditions.', [
    little('BarometricPressure', [0, 8], [0.5, 0, 'kPa'], 99),
    little('AmbientAirTemperature', [24, 16], [0.03125, -273, 'degC'], 'ambientTemperature', {
      sensor: { noise: 0.05, bias: 0.4 },
    }),
  ]),
  group(['DD', 0xfefc, 6], 'INS', 1000, 'Dash display.', [
    little('FuelLevel1', [8, 8], [0.4, 0, '%'], 'fuelLevel', { sensor: { noise: 0.5, bias: 0.6 } }),
  ]),
  group(['AIR1', 0xfeae, 6], 'BRK', 1000, 'Air supply pressure.', [
    little('ServiceBrakePressure1', [16, 8], [8, 0, 'kPa'], 'airPressure', { sensor: { noise: 2 } }),
    little('ServiceBrakePressure2', [24, 8], [8, 0, 'kPa'], 'airPressure', {
      sensor: { noise: 2, bias: 6 },
    }),
  ]),
  group(['VDHR', 0xfec1, 6], 'TCO', 1000, 'High resolution vehicle distance.', [
    little('TotalVehicleDistance', [0, 32], [5, 0, 'm'], 'odometer', { scale: 1000 }),
    little('TripDistance', [32, 32], [5, 0, 'm'], 'distance'),
  ]),
  group(['VEP1', 0xfef7, 6], 'INS', 1000, 'Vehicle electrical power.', [
    little('BatteryPotential', [32, 16], [0.05, 0, 'V'], 'lowVoltage', {
      scale: 2,
      sensor: { noise: 0.05 },
    }),
  ]),
];

/** A truck with trailer, 26 t: 29-bit identifiers at 250 kbit/s. */
export const truck: NetworkSpec = {
  name: 'truck',
  bitrate: 250_000,
  nodes: chassisNodes,
  messages: chassisGroups({ referenceNm: 2300, outputShaftPerMps: (30 / Math.PI / 0.49) * 2.6 }),
};
