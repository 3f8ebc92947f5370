import type { Signal } from '../dbc/model.js';

/** Bits that lie together in a byte and in the value: `value |= (byte >>> shift & (1 << bits) - 1) << at`. */
export interface Piece {
  byte: number;
  shift: number;
  bits: number;
  /** Place of the lowest of them in the half of the value. */
  at: number;
}

/** A signal's raw value in two halves of up to 32 bits. */
export interface Halves {
  low: Piece[];
  /** Empty for signals of up to 32 bits. */
  high: Piece[];
}

export function halvesOf({ startBit, length, isBigEndian }: Signal): Halves {
  const halves: Halves = { low: [], high: [] };
  // A big-endian signal ends, with its lowest bit, in the byte behind those that its higher bits fill.
  const last = (startBit & ~7) + 7 - (startBit & 7) + length - 1;
  let byte = isBigEndian ? last >> 3 : startBit >> 3;
  let shift = isBigEndian ? 7 - (last & 7) : startBit & 7;
  for (let done = 0; done < length;) {
    const untilHalf = done < 32 ? 32 - done : 64;
    const bits = Math.min(8 - shift, length - done, untilHalf);
    (done < 32 ? halves.low : halves.high).push({ byte, shift, bits, at: done & 31 });
    done += bits;
    shift += bits;
    if (shift === 8) {
      shift = 0;
      byte += isBigEndian ? -1 : 1;
    }
  }
  return halves;
}
