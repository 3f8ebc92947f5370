/*
 * Numbers of the index: LEB128, seven bits a byte, lowest first, whole numbers up to 2^53 - 1. Signed ones in zigzag form.
 */
const bytesMax = 8;
const scratch = Buffer.alloc(256);

/** Some whole numbers from 0 on, at most 32, one behind the other; a buffer of its own. */
export function packNumbers(values: readonly number[]): Buffer {
  let at = 0;
  for (const value of values) {
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) scratch[at++] = (rest % 0x80) | 0x80;
    scratch[at++] = rest;
  }
  return Buffer.from(scratch.subarray(0, at));
}

export const toSigned = (value: number): number => (value < 0 ? -2 * value - 1 : 2 * value);
const ofSigned = (value: number): number => (value % 2 === 0 ? value / 2 : -(value + 1) / 2);

/** Reads what `packNumbers` wrote. */
export class NumberReader {
  at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  get isAtEnd(): boolean {
    return this.at >= this.bytes.length;
  }

  next(): number {
    let value = 0;
    let factor = 1;
    for (let i = 0; i < bytesMax; i++) {
      const byte = this.bytes[this.at++] ?? 0;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) break;
      factor *= 0x80;
    }
    return value;
  }

  signed(): number {
    return ofSigned(this.next());
  }
}
