import type { NetworkSpec } from '../ecu/description.js';
import { j1939Groups } from './j1939.js';
import { guarded, little, plain, turnLabels } from './signals.js';
import { chassisGroups, chassisNodes } from './truck.js';

const group = j1939Groups({ DRV: 0xef, BAT: 0xf3, DOR: 0xec });
const { BRK, INS, TCO, ENG } = chassisNodes;
/** Groups of the diesel chassis that a bus without an engine has, too. */
const shared = ['EBC1', 'EBC2', 'CCVS1', 'TCO1', 'AMB', 'AIR1', 'VDHR', 'VEP1'];

/** A battery-electric city bus: J1939 for the chassis, proprietary groups for drive, battery, doors and passengers. */
export const cityBus: NetworkSpec = {
  name: 'city-bus',
  bitrate: 250_000,
  nodes: {
    ENG: ENG.replace('Engine', 'Vehicle control'),
    BRK,
    INS,
    TCO,
    DRV: 'Traction inverter (address 239)',
    BAT: 'Battery (address 243)',
    DOR: 'Doors and passenger counter (address 236)',
  },
  messages: [
    ...chassisGroups({ referenceNm: 700, outputShaftPerMps: 0 }).filter(({ name }) => shared.includes(name)),
    group(
      ['DriveStatus', 0xff10, 3],
      'DRV',
      20,
      'What the motor does.',
      [
        little('MotorSpeed', [0, 16], [0.5, -16000, 'rpm'], 'motorSpeed', { sensor: { noise: 2 } }),
        little('MotorTorque', [16, 16], [0.1, -3200, 'Nm'], 'motorTorque', { sensor: { noise: 1 } }),
        little('DriveState', [32, 3], plain, 'state', {
          labels: { 0: 'Off', 1: 'Ready', 2: 'Driving', 3: 'Recuperating' },
        }),
        little('MotorTemperature', [40, 8], [1, -40, 'degC'], 'motorTemperature', {
          sensor: { noise: 0.3, bias: 1 },
        }),
      ],
      guarded,
    ),
    group(
      ['BatteryStatus', 0xff11, 6],
      'BAT',
      100,
      'The traction battery; current is positive while it is discharged.',
      [
        little('BatteryVoltage', [0, 14], [0.1, 0, 'V'], 'batteryVoltage', {
          sensor: { noise: 0.15, bias: 0.3 },
        }),
        little('BatteryCurrent', [14, 16], [0.05, -1600, 'A'], 'batteryCurrent', {
          sensor: { noise: 0.3, bias: 0.2 },
        }),
        little('StateOfCharge', [30, 10], [0.1, 0, '%'], 'batteryCharge'),
        little('BatteryTemperature', [40, 8], [0.5, -40, 'degC'], 'batteryTemperature', {
          sensor: { noise: 0.1, bias: 0.4 },
        }),
      ],
      guarded,
    ),
    group(
      ['DoorStatus', 0xff12, 6],
      'DOR',
      1000,
      'Which doors are open; at once when that changes.',
      [
        little('DoorsOpen', [0, 3], plain, 'doors', { labels: { 0: 'AllClosed', 7: 'AllOpen' } }),
        little('TurnIndicator', [4, 2], plain, 'turnIndicator', { labels: turnLabels }),
      ],
      { event: 'doors', ...guarded },
    ),
    group(
      ['PassengerCount', 0xff13, 6],
      'DOR',
      1000,
      'People on board, and through the doors since the start; at once when somebody came or went.',
      [
        little('Passengers', [0, 8], plain, 'passengers'),
        little('Boarded', [8, 16], plain, 'boarded'),
        little('Alighted', [24, 16], plain, 'alighted'),
      ],
      { event: 'passengers', ...guarded },
    ),
  ],
};
