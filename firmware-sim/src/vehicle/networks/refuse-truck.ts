import type { NetworkSpec } from '../ecu/description.js';
import { j1939Groups } from './j1939.js';
import { guarded, little, plain } from './signals.js';
import { chassisGroups, chassisNodes } from './truck.js';

const group = j1939Groups({ LFT: 0x21 });

/** A refuse truck: a J1939 chassis, and proprietary groups of the lift with its scales and of the body. */
export const refuseTruck: NetworkSpec = {
  name: 'refuse-truck',
  bitrate: 250_000,
  nodes: { ...chassisNodes, LFT: 'Lift and body (address 33)' },
  messages: [
    ...chassisGroups({ referenceNm: 1400, outputShaftPerMps: (30 / Math.PI / 0.5) * 4.1 }),
    group(
      ['LiftStatus', 0xff20, 6],
      'LFT',
      100,
      'The lift and the bin on it; at once when the lift changes.',
      [
        little('LiftState', [0, 4], plain, 'liftState', {
          labels: { 0: 'Rest', 1: 'Lifting', 2: 'Emptying', 3: 'Lowering', 4: 'Unloading' },
        }),
        little('BinLevel', [8, 8], [0.5, 0, '%'], 'binLevel', { sensor: { noise: 0.4, bias: 0.5 } }),
        little('BinWeight', [16, 12], [0.1, -10, 'kg'], 'binWeight', { sensor: { noise: 0.15, bias: 0.2 } }),
        little('BinsEmptied', [32, 16], plain, 'binsEmptied'),
      ],
      { event: 'liftState', ...guarded },
    ),
    group(
      ['BodyStatus', 0xff21, 6],
      'LFT',
      1000,
      'What is in the body.',
      [
        little('RefuseLoad', [0, 16], [0.5, 0, 'kg'], 'load', { sensor: { noise: 4, bias: 15 } }),
        little('BodyFill', [16, 8], [0.5, 0, '%'], 'bodyFill', { sensor: { noise: 0.3, bias: 0.5 } }),
      ],
      guarded,
    ),
  ],
};
