import { malformedPayload } from '../../batch/payload.js';
import type { SymbolReader } from './symbol-reader.js';
import type { SymbolWriter } from './symbol-writer.js';

/*
 * number = symbol [ bits ]
 *
 * symbols 0 and 1 are the numbers themselves; symbol 2e + m (e = 1 … 15) starts the numbers whose binary form is
 * `1 m …` with e + 1 digits, and e - 1 bits give the rest; symbol 31 is followed by 32 bits, which are the number.
 */
const WIDE = 31;

/** Writes a number of 32 bits. */
export function writeNumber(out: SymbolWriter, table: number, value: number): void {
  if (value < 2) {
    out.symbol(table, value);
    return;
  }
  const exponent = 31 - Math.clz32(value);
  const rest = exponent - 1;
  const symbol = 2 * exponent + ((value >>> rest) & 1);
  if (symbol >= WIDE) {
    out.symbol(table, WIDE);
    out.word(value);
    return;
  }
  out.symbol(table, symbol);
  if (rest > 0) out.bits(value & ((1 << rest) - 1), rest);
}

export function readNumber(input: SymbolReader, table: number): number {
  const symbol = input.symbol(table);
  if (symbol < 4) return symbol;
  if (symbol === WIDE) return input.word();
  const rest = (symbol >> 1) - 1;
  return ((2 | (symbol & 1)) << rest) | input.bits(rest);
}

/** A number that must not be above `max`. */
export function readNumberUpTo(input: SymbolReader, table: number, max: number): number {
  const value = readNumber(input, table);
  if (value > max) throw malformedPayload('a number is too large');
  return value;
}

/** Signed to unsigned so that small stays small: 0, -1, 1, -2, 2 … to 0, 1, 2, 3, 4 … (32 bits). */
export const zigzag = (value: number): number => ((value << 1) ^ (value >> 31)) >>> 0;
export const unzigzag = (value: number): number => (value >>> 1) ^ -(value & 1);

/*
 * A scale follows the recent size of a column's numbers, in sixteenths; its binary length picks the table of the next
 * number. So noisy and quiet stretches, and columns, don't spoil each other's tables, and nothing has to be sent.
 */
export const SCALE_START = 64;
const SCALE_VALUE_MAX = 4095;

export function nextScale(scale: number, value: number): number {
  return scale + (((value < SCALE_VALUE_MAX ? value : SCALE_VALUE_MAX) * 16 - scale) >> 2);
}

/** The context (0 to CONTEXTS - 1) of a scale. */
export function contextOf(scale: number): number {
  const length = 32 - Math.clz32(scale);
  return length < 11 ? length : 11;
}
