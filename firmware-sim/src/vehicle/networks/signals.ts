import type { SignalSpec } from '../ecu/description.js';
import type { Quantity } from '../physics/quantities.js';

type More = Partial<Pick<SignalSpec, 'signed' | 'scale' | 'sensor' | 'labels' | 'comment'>>;
type Place = [start: number, length: number];
type Meaning = [factor: number, offset: number, unit: string];

const maker =
  (intel: boolean) =>
  (
    name: string,
    [start, length]: Place,
    [factor, offset, unit]: Meaning,
    from: Quantity | number,
    more: More = {},
  ): SignalSpec => ({ name, start, length, intel, factor, offset, unit, from, ...more });

/** A signal in Motorola order: `start` is its highest bit. */
export const big = maker(false);
/** A signal in Intel order: `start` is its lowest bit. */
export const little = maker(true);

export const KMH = 3.6;
export const DEGREES = 180 / Math.PI;
export const plain: Meaning = [1, 0, ''];

export const onOff = { 0: 'Off', 1: 'On' };
export const turnLabels = { 0: 'Off', 1: 'Left', 2: 'Right' };
export const lightLabels = { 0: 'Off', 1: 'LowBeam', 2: 'HighBeam' };
export const doorLabels = { 0: 'AllClosed', 1: 'DriverOpen' };

/** What ends a message that must not be stuck or mixed up: a counter, and a CRC in the last byte. */
export const guarded = {
  counter: { start: 48, length: 4, intel: true },
  checksum: { byte: 7, kind: 'crc8' },
} as const;
