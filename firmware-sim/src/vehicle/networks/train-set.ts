import type { MessageSpec, NetworkSpec } from '../ecu/description.js';
import { guarded, KMH, little, plain } from './signals.js';

/** CANopen's predefined connection set (CiA 301): identifiers of a node's first and second TPDO, and its heartbeat. */
const pdo1 = 0x180;
const pdo2 = 0x280;
const heartbeatId = 0x700;
const nodeIds = { TCU: 0x11, BCU: 0x12, BMS: 0x13, DCU: 0x14 } as const;
type Node = keyof typeof nodeIds;

const heartbeat = (sender: Node): MessageSpec => ({
  name: `${sender}Heartbeat`,
  id: heartbeatId + nodeIds[sender],
  sender,
  length: 1,
  cycleMs: 1000,
  wakesMs: 400,
  comment: `That ${sender} is alive, and its state.`,
  signals: [
    little(`${sender}State`, [0, 7], plain, 5, {
      labels: { 0: 'BootUp', 4: 'Stopped', 5: 'Operational', 127: 'PreOperational' },
    }),
  ],
});

/** A battery train set of three cars: CANopen on the vehicle bus, 250 kbit/s, Intel order. */
export const trainSet: NetworkSpec = {
  name: 'train-set',
  bitrate: 250_000,
  nodes: {
    TCU: 'Traction control (node 17)',
    BCU: 'Brake control (node 18)',
    BMS: 'Battery management (node 19)',
    DCU: 'Doors (node 20)',
  },
  messages: [
    {
      name: 'Traction',
      id: pdo1 + nodeIds.TCU,
      sender: 'TCU',
      length: 8,
      cycleMs: 20,
      wakesMs: 300,
      ...guarded,
      comment: 'Effort of all motors, and their speed.',
      signals: [
        little('TractiveEffort', [0, 16], [0.01, 0, 'kN'], 'tractiveForce', {
          signed: true,
          scale: 0.001,
          sensor: { noise: 0.05 },
        }),
        little('MotorSpeed', [16, 16], [0.1, 0, 'rpm'], 'motorSpeed', { sensor: { noise: 1 } }),
        little('TractionState', [32, 3], plain, 'state', {
          labels: { 0: 'Off', 1: 'Coasting', 2: 'Driving', 3: 'Recuperating' },
        }),
        little('MotorTemperature', [40, 8], [1, -40, 'degC'], 'motorTemperature', {
          sensor: { noise: 0.3, bias: 1 },
        }),
      ],
    },
    {
      name: 'Brakes',
      id: pdo1 + nodeIds.BCU,
      sender: 'BCU',
      length: 8,
      cycleMs: 50,
      wakesMs: 250,
      event: 'brakePedal',
      ...guarded,
      comment: 'Friction brakes and the speed of axles; at once when they are applied or released.',
      signals: [
        little('TrainSpeed', [0, 14], [0.02, 0, 'km/h'], 'speed', {
          scale: KMH,
          sensor: { noise: 0.03, bias: 0.05, delayMs: 40 },
        }),
        little('BrakeApplied', [14, 1], plain, 'brakePedal', { labels: { 0: 'Released', 1: 'Applied' } }),
        little('BrakePipePressure', [16, 12], [0.25, 0, 'kPa'], 'brakePipe', {
          sensor: { noise: 0.4, bias: 0.8 },
        }),
        little('MainReservoirPressure', [28, 12], [0.5, 0, 'kPa'], 'airPressure', {
          sensor: { noise: 1, bias: 2 },
        }),
      ],
    },
    {
      name: 'Battery',
      id: pdo1 + nodeIds.BMS,
      sender: 'BMS',
      length: 8,
      cycleMs: 100,
      wakesMs: 350,
      ...guarded,
      comment: 'The traction battery; current is positive while it is discharged.',
      signals: [
        little('BatteryVoltage', [0, 15], [0.1, 0, 'V'], 'batteryVoltage', {
          sensor: { noise: 0.3, bias: 0.5 },
        }),
        little('BatteryCurrent', [15, 16], [0.1, 0, 'A'], 'batteryCurrent', {
          signed: true,
          sensor: { noise: 0.5, bias: 0.4 },
        }),
        little('StateOfCharge', [31, 10], [0.1, 0, '%'], 'batteryCharge'),
      ],
    },
    {
      name: 'BatteryTemperatures',
      id: pdo2 + nodeIds.BMS,
      sender: 'BMS',
      length: 2,
      cycleMs: 1000,
      wakesMs: 350,
      comment: 'Of the battery, and outside.',
      signals: [
        little('BatteryTemperature', [0, 8], [0.5, -40, 'degC'], 'batteryTemperature', {
          sensor: { noise: 0.1, bias: 0.4 },
        }),
        little('AmbientTemperature', [8, 8], [0.5, -40, 'degC'], 'ambientTemperature', {
          sensor: { bias: 0.4 },
        }),
      ],
    },
    {
      name: 'Doors',
      id: pdo1 + nodeIds.DCU,
      sender: 'DCU',
      length: 8,
      cycleMs: 500,
      wakesMs: 200,
      event: 'doors',
      ...guarded,
      comment:
        'Doors of the side that was released, and the passenger counter; at once when doors open or close.',
      signals: [
        little('DoorsOpen', [0, 6], plain, 'doors', { labels: { 0: 'AllClosed', 63: 'AllOpen' } }),
        little('Passengers', [8, 12], plain, 'passengers'),
      ],
    },
    {
      name: 'Distance',
      id: pdo2 + nodeIds.BCU,
      sender: 'BCU',
      length: 8,
      cycleMs: 1000,
      wakesMs: 250,
      comment: 'Distance of the whole life, and since the start.',
      signals: [
        little('Odometer', [0, 32], [0.01, 0, 'km'], 'odometer'),
        little('TripDistance', [32, 32], [0.001, 0, 'km'], 'distance', { scale: 0.001 }),
      ],
    },
    heartbeat('TCU'),
    heartbeat('BCU'),
    heartbeat('BMS'),
    heartbeat('DCU'),
  ],
};
