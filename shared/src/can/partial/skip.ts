import type { BitReader } from '../codec/bit-reader.js';

/** Passes over bits. */
export function skip(input: BitReader, bits: number): void {
  let left = bits;
  for (; left > 16; left -= 16) input.bits(16);
  input.bits(left);
}
