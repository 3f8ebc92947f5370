import { FleetlogError } from '@fleetlog/shared/errors';
import type { Signal } from '../dbc/model.js';
import { halvesOf, type Piece } from './pieces.js';

/*
 * JavaScript for the value of a signal. Nothing of a database enters the text but numbers that pass through `literal`;
 * names never do. In it stand: `bN`, byte N of the data; `u32`, `f32` and `f64`, views of the same 8 bytes.
 */

/** A finite number as JavaScript, exactly. Errors: FLEETLOG_DEFECT for anything else. */
export function literal(value: number): string {
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw new FleetlogError('FLEETLOG_DEFECT', 'A number of a database is not finite.');
  }
  return value < 0 ? `(${value})` : String(value);
}

/** Name of a byte of the data. */
export const byteName = (byte: number): string => `b${literal(byte)}`;

/** The bytes that a signal's value is made of. */
export function bytesOf(signal: Signal): number[] {
  const { low, high } = halvesOf(signal);
  return [...new Set([...low, ...high].map(({ byte }) => byte))];
}

/** The physical value: a number. Integers of more than 53 bits become the nearest double. */
export function valueOf(signal: Signal): string {
  const { factor, offset } = signal;
  const scaled = factor === 1 ? rawOf(signal) : `${rawOf(signal)} * ${literal(factor)}`;
  return offset === 0 ? scaled : `${scaled} + ${literal(offset)}`;
}

function rawOf(signal: Signal): string {
  const { raw, length } = signal;
  const { low, high } = halvesOf(signal);
  switch (raw) {
    case 'unsigned':
      return bitsOf(signal);
    case 'float':
      return `(u32[0] = ${word(low)}, f32[0])`;
    case 'double':
      return `(u32[0] = ${word(low)}, u32[1] = ${word(high)}, f64[0])`;
    case 'signed':
      return length <= 32
        ? `(${extended(word(low), length)})`
        : `((${extended(word(high), length - 32)}) * 4294967296 + (${word(low)} >>> 0))`;
  }
}

/** The raw bits as an unsigned number: what multiplexors are compared with. */
export function bitsOf(signal: Signal): string {
  const { length } = signal;
  const { low, high } = halvesOf(signal);
  if (length > 32) return `((${word(high)} >>> 0) * 4294967296 + (${word(low)} >>> 0))`;
  return length === 32 ? `(${word(low)} >>> 0)` : word(low);
}

/** 32 bits or fewer as an integer whose highest bits may read as a sign. */
const word = (pieces: readonly Piece[]): string => `(${pieces.map(pieceText).join(' | ')})`;

function pieceText({ byte, shift, bits, at }: Piece): string {
  let text = byteName(byte);
  if (shift > 0) text = `${text} >>> ${literal(shift)}`;
  if (shift + bits < 8) text = `${text} & ${literal((1 << bits) - 1)}`;
  return at > 0 ? `(${text}) << ${literal(at)}` : `(${text})`;
}

/** `bits` of `text` with their sign carried to 32. */
const extended = (text: string, bits: number): string =>
  bits === 32 ? `${text} | 0` : `${text} << ${literal(32 - bits)} >> ${literal(32 - bits)}`;
