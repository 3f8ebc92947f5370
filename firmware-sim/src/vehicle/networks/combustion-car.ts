import type { NetworkSpec } from '../ecu/description.js';
import { big, DEGREES, doorLabels, KMH, lightLabels, onOff, plain, turnLabels } from './signals.js';

const safe = { counter: { start: 51, length: 4 }, checksum: { byte: 7, kind: 'crc8' } } as const;
const wheel = (name: string, start: number, from: Parameters<typeof big>[3]) =>
  big(name, [start, 16], [0.01, 0, 'km/h'], from, {
    scale: KMH,
    sensor: { noise: 0.03, bias: 0.05, delayMs: 20 },
  });

/** A passenger car with a petrol engine: 11-bit identifiers, Motorola order, counters and CRC where it matters. */
export const combustionCar: NetworkSpec = {
  name: 'combustion-car',
  bitrate: 500_000,
  nodes: {
    ECM: 'Engine control',
    TCM: 'Gearbox control',
    ABS: 'Brakes and stability',
    EPS: 'Power steering',
    BCM: 'Body control',
    IPC: 'Instrument cluster',
  },
  messages: [
    {
      name: 'WheelSpeeds',
      id: 0x0b0,
      sender: 'ABS',
      length: 8,
      cycleMs: 10,
      wakesMs: 180,
      comment: 'Speeds of the four wheels, from their pulses.',
      signals: [
        wheel('WheelSpeedFL', 7, 'wheelFrontLeft'),
        wheel('WheelSpeedFR', 23, 'wheelFrontRight'),
        wheel('WheelSpeedRL', 39, 'wheelRearLeft'),
        wheel('WheelSpeedRR', 55, 'wheelRearRight'),
      ],
    },
    {
      name: 'Inertia',
      id: 0x0b4,
      sender: 'ABS',
      length: 8,
      cycleMs: 10,
      wakesMs: 180,
      ...safe,
      comment: 'Accelerations and yaw rate of the stability sensor.',
      signals: [
        big('LongitudinalAcceleration', [7, 12], [0.02, -40, 'm/s2'], 'acceleration', {
          sensor: { noise: 0.04, bias: 0.03, delayMs: 10 },
        }),
        big('LateralAcceleration', [23, 12], [0.02, -40, 'm/s2'], 'lateralAcceleration', {
          sensor: { noise: 0.04, bias: 0.03, delayMs: 10 },
        }),
        big('YawRate', [39, 12], [0.1, -200, 'deg/s'], 'yawRate', {
          scale: DEGREES,
          sensor: { noise: 0.08, bias: 0.1, delayMs: 10 },
        }),
      ],
    },
    {
      name: 'SteeringAngle',
      id: 0x0c2,
      sender: 'EPS',
      length: 8,
      cycleMs: 10,
      wakesMs: 220,
      ...safe,
      comment: 'Angle of the steering wheel, left is negative.',
      signals: [
        big('SteeringWheelAngle', [7, 16], [0.04375, -1433.6, 'deg'], 'steeringAngle', {
          sensor: { noise: 0.05, bias: 0.4 },
        }),
      ],
    },
    {
      name: 'EngineStatus',
      id: 0x0c9,
      sender: 'ECM',
      length: 8,
      cycleMs: 10,
      wakesMs: 120,
      ...safe,
      comment: 'What the engine does.',
      signals: [
        big('EngineSpeed', [7, 16], [0.25, 0, 'rpm'], 'engineSpeed', { sensor: { noise: 2.5 } }),
        big('EngineTorque', [23, 12], [0.25, -200, 'Nm'], 'engineTorque', {
          sensor: { noise: 0.6, delayMs: 10 },
        }),
        big('EngineState', [27, 3], plain, 'state', { labels: { 0: 'Off', 1: 'Running', 2: 'Driving' } }),
        big('EngineLoad', [39, 8], [0.4, 0, '%'], 'engineLoad', { sensor: { noise: 0.3 } }),
      ],
    },
    {
      name: 'Pedals',
      id: 0x0d0,
      sender: 'ECM',
      length: 8,
      cycleMs: 20,
      wakesMs: 120,
      event: 'brakePedal',
      ...safe,
      comment: 'What the driver wants; at once when the brake pedal is touched.',
      signals: [
        big('AcceleratorPedal', [7, 10], [0.1, 0, '%'], 'pedal', { sensor: { noise: 0.08 } }),
        big('BrakeSwitch', [13, 1], plain, 'brakePedal', { labels: onOff }),
      ],
    },
    {
      name: 'BrakePressure',
      id: 0x0d5,
      sender: 'ABS',
      length: 8,
      cycleMs: 20,
      wakesMs: 180,
      ...safe,
      comment: 'Pressure in the master cylinder.',
      signals: [
        big('MasterCylinderPressure', [7, 12], [0.05, -5, 'bar'], 'brakePressure', {
          sensor: { noise: 0.06, bias: 0.15, delayMs: 20 },
        }),
      ],
    },
    {
      name: 'Transmission',
      id: 0x0f1,
      sender: 'TCM',
      length: 8,
      cycleMs: 20,
      wakesMs: 160,
      event: 'gear',
      ...safe,
      comment: 'The gear that is in; at once when it changes.',
      signals: [
        big('ActualGear', [7, 4], plain, 'gear', {
          labels: { 0: 'Shifting', 1: 'First', 2: 'Second', 3: 'Third', 4: 'Fourth', 5: 'Fifth', 6: 'Sixth' },
        }),
      ],
    },
    {
      name: 'VehicleSpeed',
      id: 0x1a0,
      sender: 'ABS',
      length: 8,
      cycleMs: 20,
      wakesMs: 180,
      ...safe,
      comment: 'Speed for everybody, from the wheels.',
      signals: [
        big('VehicleSpeed', [7, 16], [0.01, 0, 'km/h'], 'speed', {
          scale: KMH,
          sensor: { noise: 0.02, delayMs: 30 },
        }),
      ],
    },
    {
      name: 'Body',
      id: 0x2c0,
      sender: 'BCM',
      length: 4,
      cycleMs: 500,
      wakesMs: 60,
      event: 'turnIndicator',
      comment: 'Lights and doors; at once when the turn indicator changes.',
      signals: [
        big('TurnIndicator', [1, 2], plain, 'turnIndicator', { labels: turnLabels }),
        big('Headlights', [3, 2], plain, 'headlights', { labels: lightLabels }),
        big('Doors', [15, 4], plain, 'doors', { labels: doorLabels }),
      ],
    },
    {
      name: 'DoorEvent',
      id: 0x2c4,
      sender: 'BCM',
      length: 2,
      cycleMs: 1000,
      wakesMs: 60,
      event: 'doors',
      comment: 'A door was opened or closed.',
      signals: [big('DoorState', [3, 4], plain, 'doors', { labels: doorLabels })],
    },
    {
      name: 'EngineTemperatures',
      id: 0x3d0,
      sender: 'ECM',
      length: 8,
      cycleMs: 100,
      wakesMs: 120,
      checksum: { byte: 7, kind: 'xor' },
      comment: 'Slow values of the engine.',
      signals: [
        big('CoolantTemperature', [7, 8], [0.75, -48, 'degC'], 'coolantTemperature', {
          sensor: { noise: 0.1, bias: 0.6 },
        }),
        big('OilTemperature', [15, 8], [1, -50, 'degC'], 'oilTemperature', {
          sensor: { noise: 0.2, bias: 1 },
        }),
        big('FanRequest', [16, 1], plain, 'fan', { labels: onOff }),
        big('FuelRate', [31, 16], [0.01, 0, 'l/h'], 'fuelRate'),
      ],
    },
    {
      name: 'Fuel',
      id: 0x3e8,
      sender: 'IPC',
      length: 4,
      cycleMs: 500,
      wakesMs: 300,
      comment: 'What is in the tank.',
      signals: [big('FuelLevel', [7, 8], [0.5, 0, '%'], 'fuelLevel', { sensor: { noise: 0.4, bias: 0.8 } })],
    },
    {
      name: 'Odometer',
      id: 0x3f1,
      sender: 'IPC',
      length: 8,
      cycleMs: 1000,
      wakesMs: 300,
      comment: 'Distance of the whole life, and since the start.',
      signals: [
        big('Odometer', [7, 24], [0.1, 0, 'km'], 'odometer'),
        big('TripDistance', [31, 24], [0.01, 0, 'km'], 'distance', { scale: 0.001 }),
      ],
    },
    {
      name: 'Climate',
      id: 0x420,
      sender: 'BCM',
      length: 4,
      cycleMs: 1000,
      wakesMs: 60,
      comment: 'Temperatures inside and outside.',
      signals: [
        big('AmbientTemperature', [7, 8], [0.5, -40, 'degC'], 'ambientTemperature', {
          sensor: { bias: 0.4 },
        }),
        big('CabinTemperature', [15, 8], [0.5, -40, 'degC'], 'cabinTemperature', {
          sensor: { noise: 0.1, bias: 0.4 },
        }),
      ],
    },
    {
      name: 'Electrical',
      id: 0x430,
      sender: 'BCM',
      length: 2,
      cycleMs: 500,
      wakesMs: 60,
      comment: 'The 12 V network.',
      signals: [
        big('BatteryVoltage', [7, 10], [0.02, 0, 'V'], 'lowVoltage', { sensor: { noise: 0.03, bias: 0.02 } }),
      ],
    },
    {
      name: 'Tyres',
      id: 0x4c0,
      sender: 'BCM',
      length: 2,
      cycleMs: 5000,
      wakesMs: 60,
      comment: 'Mean pressure of the tyres, by radio, so seldom.',
      signals: [
        big('TyrePressure', [7, 8], [2, 0, 'kPa'], 'tyrePressure', {
          scale: 235,
          sensor: { noise: 0.8, bias: 2 },
        }),
      ],
    },
  ],
};
