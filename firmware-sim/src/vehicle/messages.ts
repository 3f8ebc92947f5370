import { CAN_EFF_FLAG, CAN_ERR_FLAG } from '@fleetlog/shared/can';
import type { SignalName } from './signals.js';

/**
 * A signal's place in a frame: first bit counted from the first byte's most significant one (Motorola order), width,
 * physical value of one step, physical value of raw 0. Counts (`wrap`) start again from 0, the others are clamped.
 */
type Field = [signal: SignalName, bit: number, bits: number, factor: number, offset: number, wrap?: 'wrap'];

/** A frame that an ECU sends, in a cycle or (error frames) when something goes wrong. */
export interface MessageSpec {
  /** `canid_t`, with the flag of a 29-bit identifier or of an error frame. */
  id: number;
  form: 'classic' | 'remote' | 'fd' | 'error';
  periodMs: number;
  /** How far the sender's schedule wanders, standard deviation. */
  jitterUs: number;
  /** Data bytes; for remote frames the length asked for. */
  length: number;
  fields: Field[];
  /** First bit of a 4-bit counter of the frames sent. */
  counterBit?: number;
  /** Byte with a CRC-8 (SAE J1850) over the other bytes and the identifier. */
  checksumByte?: number;
  /** Bytes that never change, from the first byte on; fields are written over them. */
  constant?: number[];
}

function message(
  id: number,
  periodMs: number,
  fields: Field[],
  more: Partial<Omit<MessageSpec, 'id' | 'periodMs' | 'fields'>> = {},
): MessageSpec {
  return { id, form: 'classic', periodMs, jitterUs: 15 + periodMs * 4, length: 8, fields, ...more };
}

const safe = { counterBit: 52, checksumByte: 7 };

/** The powertrain and chassis bus of the simulated vehicle: 51 frames, about 2,050 a second. */
export const vehicleMessages: readonly MessageSpec[] = [
  message(
    0x083,
    10,
    [
      ['turnIndicator', 2, 2, 1, 0],
      ['headlights', 8, 2, 1, 0],
      ['wipers', 16, 3, 1, 0],
    ],
    { constant: [0x40, 0x20] },
  ),
  message(
    0x085,
    10,
    [
      ['steeringAngle', 0, 16, 0.04, -1200],
      ['steeringRate', 16, 16, 0.1, -3200],
    ],
    safe,
  ),
  message(
    0x091,
    10,
    [
      ['yawRate', 0, 16, 0.0002, -6.5],
      ['lateralAcceleration', 16, 16, 0.001, -32],
    ],
    safe,
  ),
  message(
    0x092,
    10,
    [
      ['acceleration', 0, 16, 0.001, -32],
      ['lateralAcceleration', 16, 16, 0.001, -32],
      ['yawRate', 32, 16, 0.0002, -6.5],
    ],
    safe,
  ),
  message(
    0x0a4,
    10,
    [
      ['brakePressure', 0, 12, 0.1, 0],
      ['brakeSwitch', 12, 1, 1, 0],
      ['acceleration', 16, 12, 0.02, -40],
    ],
    safe,
  ),
  message(
    0x0c8,
    10,
    [
      ['engineSpeed', 0, 16, 0.25, 0],
      ['engineTorque', 16, 12, 0.25, -200],
      ['pedal', 28, 10, 0.1, 0],
    ],
    safe,
  ),
  message(
    0x0d3,
    10,
    [
      ['throttle', 0, 10, 0.1, 0],
      ['manifoldPressure', 16, 12, 0.1, 0],
      ['airMass', 32, 14, 0.02, 0],
    ],
    safe,
  ),
  message(
    0x165,
    10,
    [
      ['brakeSwitch', 0, 2, 1, 0],
      ['pedal', 8, 8, 0.5, 0],
    ],
    { constant: [0x10, 0, 0x88, 0x41] },
  ),
  message(
    0x167,
    10,
    [
      ['engineTorque', 5, 11, 0.5, -500],
      ['engineSpeed', 24, 16, 1, 0],
    ],
    { constant: [0x72, 0x80, 0x04, 0, 0, 0x1a] },
  ),
  message(0x171, 10, [
    ['gear', 0, 4, 1, 0],
    ['gearboxSpeed', 8, 16, 0.25, 0],
    ['engineTorque', 28, 12, 0.25, -200],
  ]),
  message(
    0x202,
    10,
    [
      ['speed', 0, 16, 0.0028, 0],
      ['engineSpeed', 16, 16, 0.25, 0],
      ['speed', 34, 14, 0.01, 0],
    ],
    safe,
  ),
  message(0x215, 10, [
    ['wheelFrontLeft', 0, 16, 0.01, -100],
    ['wheelFrontRight', 16, 16, 0.01, -100],
    ['wheelRearLeft', 32, 16, 0.01, -100],
    ['wheelRearRight', 48, 16, 0.01, -100],
  ]),
  message(
    0x217,
    10,
    [
      ['wheelPulses', 0, 12, 1, 0, 'wrap'],
      ['wheelPulses', 12, 12, 1, 0, 'wrap'],
      ['wheelPulses', 24, 12, 1, 0, 'wrap'],
      ['wheelPulses', 36, 12, 1, 0, 'wrap'],
    ],
    safe,
  ),
  message(
    0x082,
    20,
    [
      ['steeringTorque', 0, 12, 0.01, -20],
      ['steeringAngle', 16, 16, 0.04, -1200],
    ],
    safe,
  ),
  message(0x0b5, 20, [
    ['lambda', 0, 16, 0.0001, 0],
    ['fuelRate', 16, 16, 0.01, 0],
    ['manifoldPressure', 32, 12, 0.1, 0],
  ]),
  message(
    0x156,
    20,
    [
      ['coolantTemperature', 0, 8, 1, -60],
      ['oilTemperature', 8, 8, 1, -60],
      ['engineSpeed', 16, 16, 2, 0],
    ],
    { constant: [0, 0, 0, 0, 0xff, 0xff] },
  ),
  message(
    0x1b0,
    20,
    [
      ['distanceAhead', 0, 12, 0.1, 0],
      ['cruiseTarget', 12, 10, 0.5, 0],
      ['acceleration', 24, 10, 0.02, -10],
    ],
    safe,
  ),
  message(
    0x1b3,
    20,
    [
      ['laneOffset', 0, 12, 0.002, -4],
      ['steeringAngle', 12, 12, 0.5, -1000],
    ],
    safe,
  ),
  message(0x200, 20, [
    ['engineTorque', 0, 16, 0.1, -500],
    ['pedal', 16, 12, 0.05, 0],
    ['throttle', 28, 12, 0.05, 0],
  ]),
  message(
    0x204,
    20,
    [
      ['pedal', 0, 10, 0.1, 0],
      ['engineSpeed', 24, 13, 2, 0],
    ],
    { constant: [0, 0, 0, 0, 0, 0x7f, 0xd0] },
  ),
  message(0x230, 20, [
    ['gear', 0, 4, 1, 0],
    ['gearboxTemperature', 8, 8, 1, -60],
    ['gearboxSpeed', 16, 16, 1, 0],
  ]),
  message(0x213, 20, [
    ['brakePressure', 0, 10, 0.1, 0],
    ['brakeSwitch', 15, 1, 1, 0],
    ['speed', 16, 16, 0.0028, 0],
  ]),
  message(0x242, 20, [['distanceAhead', 4, 12, 0.1, 0]], { constant: [0xc0, 0, 0, 0x1f, 0xf8] }),
  message(0x24b, 20, [['cruiseTarget', 0, 9, 0.5, 0]], { counterBit: 60 }),
  message(
    0x25a,
    20,
    [
      ['lateralAcceleration', 0, 12, 0.02, -40],
      ['acceleration', 12, 12, 0.02, -40],
    ],
    { counterBit: 60 },
  ),
  message(
    0x2a1,
    50,
    [
      ['batteryVoltage', 0, 10, 0.02, 0],
      ['batteryCurrent', 16, 12, 0.1, -200],
    ],
    { length: 6 },
  ),
  message(
    0x2d5,
    50,
    [
      ['doors', 0, 5, 1, 0],
      ['headlights', 8, 2, 1, 0],
      ['turnIndicator', 12, 2, 1, 0],
    ],
    { length: 4 },
  ),
  message(0x2f0, 50, [
    ['speed', 0, 10, 0.036, 0],
    ['engineSpeed', 16, 8, 32, 0],
    ['coolantTemperature', 24, 8, 1, -60],
  ]),
  message(0x312, 50, [['steeringAngle', 0, 14, 0.1, -800]], { length: 5, counterBit: 36 }),
  message(0x326, 50, [['gear', 4, 4, 1, 0]], { constant: [0, 0x0c, 0, 0, 0, 0, 0x21, 0x84] }),
  message(0x333, 50, [['brakePressure', 0, 8, 1, 0]], { length: 3, checksumByte: 2 }),
  message(0x3b3, 100, [['headlights', 0, 4, 1, 0]], { constant: [0x40, 0x48, 0, 0, 0x0c, 0, 0x0f, 0xc0] }),
  message(0x3c8, 100, [['ambientTemperature', 0, 16, 0.0625, -40]], { constant: [0, 0, 0x7f, 0xff] }),
  message(0x3cc, 100, [['cabinTemperature', 8, 8, 0.5, -40]], { constant: [0x30] }),
  message(0x3d0, 100, [
    ['intakeTemperature', 0, 8, 1, -60],
    ['ambientTemperature', 8, 8, 0.5, -40],
    ['fanSpeed', 16, 3, 1, 0],
  ]),
  message(0x3e1, 100, [['lambda', 0, 12, 0.001, 0]], { length: 2 }),
  message(0x40a, 100, [['uptime', 16, 24, 0.1, 0, 'wrap']], { constant: [0xc1, 0] }),
  message(0x416, 100, [['brakeSwitch', 7, 1, 1, 0]], { constant: [0x0e, 0, 0, 0x50], counterBit: 60 }),
  message(0x420, 100, [
    ['coolantTemperature', 0, 10, 0.25, -60],
    ['oilTemperature', 16, 10, 0.25, -60],
    ['engineSpeed', 32, 8, 32, 0],
  ]),
  message(0x421, 100, [['gearboxTemperature', 0, 10, 0.25, -60]], { length: 4 }),
  message(0x422, 100, [['fuelRate', 0, 16, 0.01, 0]], { length: 7 }),
  message(0x430, 500, [['odometer', 0, 32, 1, 0, 'wrap']], { constant: [0, 0, 0, 0, 0x02] }),
  message(0x433, 500, [['fuelLevel', 0, 10, 0.1, 0]], { length: 6 }),
  message(0x43e, 500, [['wipers', 0, 3, 1, 0]], { constant: [0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff] }),
  message(0x455, 500, [['tyrePressure', 0, 12, 0.1, 0]], { counterBit: 60 }),
  message(0x46b, 1000, [['uptime', 0, 32, 1, 0]], { length: 8 }),
  message(0x4a0, 1000, [['ambientTemperature', 0, 8, 0.5, -40]], { length: 1 }),
  message(0x581, 1000, [], { constant: [0x81, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff] }),
  message(0x59e, 1000, [], { constant: [0x9e, 0, 0xff, 0xff], length: 4 }),
  message(0x5a4, 1000, [], { length: 0 }),
];

/** Rarer kinds of frames, for tests. */
export const extraKinds = ['extended', 'remote', 'fd', 'error'] as const;
export type ExtraKind = (typeof extraKinds)[number];

// Parameter groups of SAE J1939: EEC1 (engine), ET1 (temperature), address claimed.
const EEC1 = 0x00f004;
const ET1 = 0x00feee;
const ADDRESS_CLAIMED = 0x00eeff;

export const extraMessages: Record<ExtraKind, readonly MessageSpec[]> = {
  extended: [
    message(
      CAN_EFF_FLAG + 0x0c000000 + EEC1 * 0x100,
      20,
      [
        ['engineTorque', 16, 8, 1, -125],
        ['engineSpeed', 24, 16, 0.125, 0],
      ],
      { constant: [0xf0, 0xff, 0, 0, 0, 0xff, 0xff, 0xff] },
    ),
    message(CAN_EFF_FLAG + 0x18000000 + ET1 * 0x100, 1000, [['coolantTemperature', 0, 8, 1, -40]]),
    message(CAN_EFF_FLAG + 0x18000000 + ADDRESS_CLAIMED * 0x100 + 0x1e, 1000, [], { length: 8 }),
  ],
  remote: [
    message(0x6f0, 200, [], { form: 'remote', length: 8 }),
    message(0x6f1, 500, [], { form: 'remote', length: 0 }),
    message(CAN_EFF_FLAG + 0x1af00010, 500, [], { form: 'remote', length: 3 }),
  ],
  fd: [
    message(
      0x3f0,
      50,
      [
        ['speed', 0, 16, 0.0028, 0],
        ['distanceAhead', 64, 16, 0.01, 0],
        ['laneOffset', 128, 16, 0.001, -30],
        ['odometer', 480, 32, 1, 0, 'wrap'],
      ],
      { form: 'fd', length: 64, counterBit: 52, checksumByte: 7 },
    ),
    message(0x3f1, 100, [['steeringAngle', 16, 16, 0.04, -1200]], { form: 'fd', length: 12 }),
    message(CAN_EFF_FLAG + 0x01234567, 500, [['uptime', 0, 32, 0.001, 0, 'wrap']], {
      form: 'fd',
      length: 24,
    }),
  ],
  // linux/can/error.h: protocol violation with its location; controller warning with both counters.
  error: [
    message(CAN_ERR_FLAG + 0x088, 900, [], {
      form: 'error',
      jitterUs: 250_000,
      constant: [0, 0, 0x04, 0x19],
    }),
    message(CAN_ERR_FLAG + 0x204, 4000, [], {
      form: 'error',
      jitterUs: 900_000,
      constant: [0, 0x08, 0, 0, 0, 0, 0x60],
    }),
  ],
};
