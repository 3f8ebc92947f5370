import type { NetworkSpec } from '../ecu/description.js';
import {
  DEGREES,
  doorLabels,
  guarded,
  KMH,
  lightLabels,
  little,
  onOff,
  plain,
  turnLabels,
} from './signals.js';

const wheel = (name: string, start: number, from: Parameters<typeof little>[3]) =>
  little(name, [start, 14], [0.02, 0, 'km/h'], from, {
    scale: KMH,
    sensor: { noise: 0.03, bias: 0.04, delayMs: 20 },
  });

/** A battery-electric passenger car: 11-bit identifiers, Intel order. */
export const electricCar: NetworkSpec = {
  name: 'electric-car',
  bitrate: 500_000,
  nodes: {
    VCU: 'Vehicle control',
    INV: 'Inverter and motor',
    BMS: 'Battery management',
    ESC: 'Brakes and stability',
    BCM: 'Body control',
  },
  messages: [
    {
      name: 'MotorStatus',
      id: 0x110,
      sender: 'INV',
      length: 8,
      cycleMs: 10,
      wakesMs: 140,
      ...guarded,
      comment: 'What the motor does.',
      signals: [
        little('MotorSpeed', [0, 16], [1, -20000, 'rpm'], 'motorSpeed', { sensor: { noise: 3 } }),
        little('MotorTorque', [16, 12], [0.25, -512, 'Nm'], 'motorTorque', { sensor: { noise: 0.4 } }),
        little('InverterState', [28, 3], plain, 'state', {
          labels: { 0: 'Off', 1: 'Ready', 2: 'Driving', 3: 'Recuperating' },
        }),
      ],
    },
    {
      name: 'DriverRequest',
      id: 0x120,
      sender: 'VCU',
      length: 8,
      cycleMs: 10,
      wakesMs: 90,
      event: 'brakePedal',
      ...guarded,
      comment: 'What the driver wants; at once when the brake pedal is touched.',
      signals: [
        little('AcceleratorPedal', [0, 10], [0.1, 0, '%'], 'pedal', { sensor: { noise: 0.08 } }),
        little('BrakeSwitch', [10, 1], plain, 'brakePedal', { labels: onOff }),
      ],
    },
    {
      name: 'WheelSpeeds',
      id: 0x130,
      sender: 'ESC',
      length: 7,
      cycleMs: 20,
      wakesMs: 200,
      comment: 'Speeds of the four wheels.',
      signals: [
        wheel('WheelSpeedFL', 0, 'wheelFrontLeft'),
        wheel('WheelSpeedFR', 14, 'wheelFrontRight'),
        wheel('WheelSpeedRL', 28, 'wheelRearLeft'),
        wheel('WheelSpeedRR', 42, 'wheelRearRight'),
      ],
    },
    {
      name: 'Stability',
      id: 0x138,
      sender: 'ESC',
      length: 8,
      cycleMs: 20,
      wakesMs: 200,
      ...guarded,
      comment: 'Speed, accelerations, yaw rate, steering.',
      signals: [
        little('VehicleSpeed', [0, 14], [0.02, 0, 'km/h'], 'speed', {
          scale: KMH,
          sensor: { noise: 0.02, delayMs: 30 },
        }),
        little('LongitudinalAcceleration', [14, 11], [0.02, 0, 'm/s2'], 'acceleration', {
          signed: true,
          sensor: { noise: 0.04, bias: 0.03 },
        }),
        little('YawRate', [25, 11], [0.1, 0, 'deg/s'], 'yawRate', {
          signed: true,
          scale: DEGREES,
          sensor: { noise: 0.08, bias: 0.1 },
        }),
        little('SteeringAngle', [36, 12], [0.5, 0, 'deg'], 'steeringAngle', {
          signed: true,
          sensor: { bias: 0.4 },
        }),
      ],
    },
    {
      name: 'BatteryStatus',
      id: 0x210,
      sender: 'BMS',
      length: 8,
      cycleMs: 50,
      wakesMs: 300,
      ...guarded,
      comment: 'The traction battery; current is positive while it is discharged.',
      signals: [
        little('BatteryVoltage', [0, 12], [0.125, 0, 'V'], 'batteryVoltage', {
          sensor: { noise: 0.1, bias: 0.2 },
        }),
        little('BatteryCurrent', [12, 16], [0.05, 0, 'A'], 'batteryCurrent', {
          signed: true,
          sensor: { noise: 0.2, bias: 0.15 },
        }),
        little('StateOfCharge', [28, 11], [0.05, 0, '%'], 'batteryCharge'),
      ],
    },
    {
      name: 'BatteryLimits',
      id: 0x220,
      sender: 'BMS',
      length: 8,
      cycleMs: 100,
      wakesMs: 300,
      checksum: { byte: 7, kind: 'xor' },
      comment: 'What the battery can give now.',
      signals: [
        little('DischargePowerLimit', [0, 12], [0.1, 0, 'kW'], 'batteryPowerLimit'),
        little('CellVoltageMax', [16, 13], [0.001, 0, 'V'], 'cellVoltageMax', { sensor: { noise: 0.0008 } }),
        little('CellVoltageMin', [32, 13], [0.001, 0, 'V'], 'cellVoltageMin', { sensor: { noise: 0.0008 } }),
      ],
    },
    {
      name: 'Temperatures',
      id: 0x230,
      sender: 'BMS',
      length: 4,
      cycleMs: 500,
      wakesMs: 300,
      comment: 'Temperatures of battery and motor, and outside.',
      signals: [
        little('BatteryTemperature', [0, 8], [0.5, -40, 'degC'], 'batteryTemperature', {
          sensor: { noise: 0.1, bias: 0.4 },
        }),
        little('MotorTemperature', [8, 8], [1, -40, 'degC'], 'motorTemperature', {
          sensor: { noise: 0.3, bias: 1 },
        }),
        little('AmbientTemperature', [16, 8], [0.5, -40, 'degC'], 'ambientTemperature', {
          sensor: { bias: 0.4 },
        }),
      ],
    },
    {
      name: 'Body',
      id: 0x310,
      sender: 'BCM',
      length: 2,
      cycleMs: 500,
      wakesMs: 50,
      event: 'turnIndicator',
      comment: 'Lights and doors; at once when the turn indicator changes.',
      signals: [
        little('TurnIndicator', [0, 2], plain, 'turnIndicator', { labels: turnLabels }),
        little('Headlights', [2, 2], plain, 'headlights', { labels: lightLabels }),
        little('Doors', [8, 4], plain, 'doors', { labels: doorLabels }),
      ],
    },
    {
      name: 'Distance',
      id: 0x320,
      sender: 'VCU',
      length: 6,
      cycleMs: 1000,
      wakesMs: 90,
      comment: 'Distance of the whole life, and since the start.',
      signals: [
        little('Odometer', [0, 24], [0.1, 0, 'km'], 'odometer'),
        little('TripDistance', [24, 24], [0.01, 0, 'km'], 'distance', { scale: 0.001 }),
      ],
    },
  ],
};
