import type { Signal } from './model.js';

/** Places of a signal's bits in the data, lowest bit of the value first: 8 × byte + bit in the byte. */
export function bitsOf({ startBit, length, isBigEndian }: Signal): Uint16Array {
  const bits = new Uint16Array(length);
  // Counted from the highest bit of byte 0, the bits of a big-endian signal are consecutive.
  const last = (startBit & ~7) + 7 - (startBit & 7) + length - 1;
  for (let i = 0; i < length; i++) {
    bits[i] = isBigEndian ? ((last - i) & ~7) + 7 - ((last - i) & 7) : startBit + i;
  }
  return bits;
}
