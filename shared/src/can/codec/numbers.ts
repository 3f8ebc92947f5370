import type { BitReader } from './bit-reader.js';
import type { BitWriter } from './bit-writer.js';
import { resized } from './resized.js';
import type { SymbolColumn } from './symbol-writer.js';
import type { SymbolReader } from './symbol-reader.js';

/*
 * A column of numbers, which are between -2^15 and 2^15 - 1: a symbol each, and bits behind.
 *
 * Zigzag makes them natural (0, -1, 1, -2, 2 … are 0, 1, 2, 3, 4 …). Symbols 0 to 3 are these numbers. Symbol 2e + m
 * (e = 2 … 15, m = 0 or 1) is a number whose binary form is `1 m …` with e + 1 digits; the e - 1 others are bits.
 */
const NUMBER_SYMBOLS = 32;

const base = Int32Array.from({ length: NUMBER_SYMBOLS }, (_, symbol) =>
  symbol < 4 ? symbol : (2 | (symbol & 1)) << ((symbol >> 1) - 1),
);
const digits = Uint8Array.from({ length: NUMBER_SYMBOLS }, (_, symbol) =>
  symbol < 4 ? 0 : (symbol >> 1) - 1,
);

/** Signed to natural so that small stays small (32 bits). */
export const zigzag = (value: number): number => ((value << 1) ^ (value >> 31)) >>> 0;
export const unzigzag = (value: number): number => (value >>> 1) ^ -(value & 1);

/** Numbers on their way to or from symbols. Reused from batch to batch. */
export class NumberColumn {
  values = new Int32Array(4096);
  /** Numbers held, or to be read. */
  count = 0;
  private symbols = new Uint8Array(4096);

  /** Appends room for `more` numbers; returns where the first of them goes. */
  add(more: number): number {
    const start = this.count;
    this.count += more;
    if (this.count > this.values.length) this.values = resized(this.values, new Int32Array(2 * this.count));
    return start;
  }

  write(column: SymbolColumn, bits: BitWriter): void {
    const { values, count } = this;
    column.reserve(count);
    bits.reserve(14 * count);
    const { symbols } = column;
    for (let i = 0; i < count; i++) {
      const number = (values[i] << 1) ^ (values[i] >> 31);
      if (number < 4) {
        symbols[i] = number;
        continue;
      }
      const exponent = 31 - Math.clz32(number);
      symbols[i] = 2 * exponent + ((number >>> (exponent - 1)) & 1);
      bits.bits(number & ((1 << (exponent - 1)) - 1), exponent - 1);
    }
    column.count = count;
  }

  read(symbolsIn: SymbolReader, column: number, bits: BitReader): void {
    const { count } = this;
    if (this.values.length < count) this.values = new Int32Array(2 * count);
    const { values } = this;
    if (this.symbols.length < count) this.symbols = new Uint8Array(2 * count);
    const { symbols } = this;
    symbolsIn.column(column, NUMBER_SYMBOLS, symbols, count);
    for (let i = 0; i < count; i++) values[i] = base[symbols[i]];
    bits.addTo(values, symbols, digits, count);
    for (let i = 0; i < count; i++) values[i] = (values[i] >>> 1) ^ -(values[i] & 1);
  }
}
