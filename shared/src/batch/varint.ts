import { FleetlogError } from '../errors/index.js';

/*
 * varint  = *continued last      ; LEB128: seven bits a byte, lowest first, at most 5 bytes (35 bits)
 * signed  = varint               ; zigzag: 0, -1, 1, -2, 2, … as 0, 1, 2, 3, 4, …
 */
export const VARINT_BYTES_MAX = 5;

/** Writes `value` (0 … 2^35 - 1) at `at`; returns the place behind it. */
export function putVarint(bytes: Uint8Array, at: number, value: number): number {
  while (value >= 0x80) {
    bytes[at++] = (value % 0x80) | 0x80;
    value = Math.floor(value / 0x80);
  }
  bytes[at] = value;
  return at + 1;
}

/** Writes `value` (-2^34 … 2^34 - 1) in zigzag form; returns the place behind it. */
export function putSigned(bytes: Uint8Array, at: number, value: number): number {
  return putVarint(bytes, at, value < 0 ? -2 * value - 1 : 2 * value);
}

/** Reads a payload from front to back. Errors: FLEETLOG_BATCH_MALFORMED where it ends too early. */
export class PayloadReader {
  at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  get remaining(): number {
    return this.bytes.length - this.at;
  }

  byte(): number {
    if (this.at >= this.bytes.length) throw malformed();
    return this.bytes[this.at++];
  }

  varint(): number {
    const { bytes } = this;
    let value = 0;
    let factor = 1;
    for (let i = 0; i < VARINT_BYTES_MAX; i++) {
      const byte = this.at < bytes.length ? bytes[this.at++] : 0xff;
      if (byte < 0x80) return value + byte * factor;
      value += (byte & 0x7f) * factor;
      factor *= 0x80;
    }
    throw malformed();
  }

  signed(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** Borrows the next `length` bytes. */
  take(length: number): Uint8Array {
    if (length > this.remaining) throw malformed();
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
}

const malformed = (): FleetlogError =>
  new FleetlogError(
    'FLEETLOG_BATCH_MALFORMED',
    "The batch's payload ends in the middle of a number or field.",
  );
