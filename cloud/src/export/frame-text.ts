import type { CanFrames } from '@fleetlog/shared/can';

/** `00` to `FF`. */
export const hexPairs = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).toUpperCase().padStart(2, '0'),
);

/** Upper case, as most tools write it. */
export const hex = (value: number, digits: number): string =>
  value.toString(16).toUpperCase().padStart(digits, '0');

/** The data of a frame in hex. */
export function dataText(frames: CanFrames, index: number): string {
  let text = '';
  const end = frames.dataStart[index + 1];
  for (let k = frames.dataStart[index]; k < end; k++) text += hexPairs[frames.data[k]];
  return text;
}

/** As `dataText`, with a space before each byte. */
export function spacedDataText(frames: CanFrames, index: number): string {
  let text = '';
  const end = frames.dataStart[index + 1];
  for (let k = frames.dataStart[index]; k < end; k++) text += ` ${hexPairs[frames.data[k]]}`;
  return text;
}
