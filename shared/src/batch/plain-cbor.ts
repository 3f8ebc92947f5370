import { Decoder, Encoder } from 'cbor-x';
import { checkCborShape } from './cbor-shape.js';

/** The plain subset of CBOR that Fleetlog writes and reads; see `cbor-shape.ts`. */

const encoder = new Encoder({
  useRecords: false,
  variableMapSize: true,
  tagUint8Array: false,
  useTag259ForMaps: false,
} as object);
const decoder = new Decoder({ useRecords: false, mapsAsObjects: false, copyBuffers: false } as object);

/** Encodes plain values; whole numbers too large for 32 bits must be passed through `integer` first. */
export const encodePlain = (value: unknown): Uint8Array => encoder.encode(value);

/** cbor-x writes integers above 2^32 as floats unless they come as bigint. */
export const integer = (value: number): number | bigint =>
  Number.isInteger(value) && Math.abs(value) > 0xffff_ffff ? BigInt(value) : value;

/**
 * Decodes one item; maps come as `Map`, so that no key is special, byte strings as views. Returns undefined where
 * the bytes aren't exactly one item of the plain subset within the limits; bounded time and memory for any input.
 */
export function decodePlain(bytes: Uint8Array, limits: { depthMax: number; itemsMax: number }): unknown {
  if (checkCborShape(bytes, limits) !== bytes.length) return undefined;
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** A whole number that a double holds exactly, whichever way CBOR wrote it; undefined for anything else. */
export function wholeNumber(value: unknown): number | undefined {
  const number = typeof value === 'bigint' ? Number(value) : value;
  return Number.isSafeInteger(number) ? (number as number) : undefined;
}
