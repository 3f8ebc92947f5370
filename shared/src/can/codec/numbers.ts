import { malformedPayload } from '../../batch/payload.js';
import { resized } from './resized.js';
import { SymbolColumns } from './symbol-columns.js';
import type { SymbolReader } from './symbol-reader.js';
import type { SymbolWriter } from './symbol-writer.js';

/*
 * number  = symbol [ rest ]
 * numbers = { symbol } { rest }       ; a column: the symbols of all, then what those that need it leave open
 *
 * Symbols 0 and 1 are the numbers themselves. Symbol 2e + m (e = 1 … 15) starts the numbers whose binary form is
 * `1 m …` with e + 1 digits; the rest are the e - 1 bits behind. Symbol 31 stands for all from 49152 on; the rest are the
 * 32 bits of the number.
 */
const WIDE = 31;

function symbolOf(value: number): number {
  if (value < 2) return value;
  const exponent = 31 - Math.clz32(value);
  const symbol = 2 * exponent + ((value >>> (exponent - 1)) & 1);
  return symbol < WIDE ? symbol : WIDE;
}

function writeRest(out: SymbolWriter, symbol: number, value: number): void {
  if (symbol === WIDE) {
    out.word(value);
  } else if (symbol >= 4) {
    const count = (symbol >> 1) - 1;
    out.bits(value & ((1 << count) - 1), count);
  }
}

function readRest(input: SymbolReader, symbol: number): number {
  if (symbol < 4) return symbol;
  if (symbol === WIDE) return input.word();
  const count = (symbol >> 1) - 1;
  return ((2 | (symbol & 1)) << count) | input.bits(count);
}

/** Writes a number of 32 bits. */
export function writeNumber(out: SymbolWriter, table: number, value: number): void {
  const symbol = symbolOf(value);
  out.symbol(table, symbol);
  writeRest(out, symbol, value);
}

export function readNumber(input: SymbolReader, table: number): number {
  return readRest(input, input.symbol(table));
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

/** Columns of signed numbers, one after the other, on their way to or from symbols. Reused from batch to batch. */
export class NumberColumns {
  values = new Int32Array(4096);
  private readonly columns = new SymbolColumns();

  clear(): void {
    this.columns.clear();
  }

  /** Appends a column; returns where its numbers are, or go to, in `values`. */
  add(length: number): number {
    const start = this.columns.add(length);
    const { count } = this.columns;
    if (count > this.values.length) this.values = resized(this.values, new Int32Array(2 * count));
    return start;
  }

  write(out: SymbolWriter, tables: Uint8Array): void {
    const { values } = this;
    const { symbols, count } = this.columns;
    for (let i = 0; i < count; i++) symbols[i] = symbolOf(zigzag(values[i]));
    this.columns.write(out, tables);
    out.reserve(3 * count);
    for (let i = 0; i < count; i++) if (symbols[i] >= 4) writeRest(out, symbols[i], zigzag(values[i]));
  }

  read(input: SymbolReader, tables: Uint8Array): void {
    this.columns.read(input, tables);
    const { values } = this;
    const { symbols, count } = this.columns;
    for (let i = 0; i < count; i++) {
      const symbol = symbols[i];
      values[i] = unzigzag(symbol < 4 ? symbol : readRest(input, symbol));
    }
  }
}
