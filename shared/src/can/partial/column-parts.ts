import { resized } from '../codec/resized.js';
import type { NumberColumn } from '../codec/numbers.js';
import type { PlainBits } from './plain-bits.js';
import type { SymbolColumns } from './symbol-columns.js';

/* As in ../codec/numbers.ts. */
const NUMBER_SYMBOLS = 32;
const base = Int32Array.from({ length: NUMBER_SYMBOLS }, (_, symbol) =>
  symbol < 4 ? symbol : (2 | (symbol & 1)) << ((symbol >> 1) - 1),
);
const digits = Uint8Array.from({ length: NUMBER_SYMBOLS }, (_, symbol) =>
  symbol < 4 ? 0 : (symbol >> 1) - 1,
);

/** Which parts of a column are wanted. Reused from batch to batch. */
export class ColumnParts {
  /** Symbols of the column. */
  count = 0;
  /** Symbols that are wanted. */
  wanted = 0;
  /** Start and end of each wanted part; those that touch are one. */
  private bounds = new Int32Array(64);
  private boundCount = 0;
  private symbols = new Uint8Array(4096);

  clear(): void {
    this.count = 0;
    this.wanted = 0;
    this.boundCount = 0;
  }

  /** Adds the next part, which isn't wanted. */
  pass(length: number): void {
    this.count += length;
  }

  add(length: number, isWanted: boolean): void {
    const start = this.count;
    this.count += length;
    if (!isWanted) return;
    this.wanted += length;
    if (this.boundCount > 0 && this.bounds[this.boundCount - 1] === start) this.boundCount--;
    else {
      if (this.boundCount + 2 > this.bounds.length) {
        this.bounds = resized(this.bounds, new Int32Array(2 * this.bounds.length));
      }
      this.bounds[this.boundCount++] = start;
    }
    this.bounds[this.boundCount++] = this.count;
  }

  /**
   * Takes the column, and the bits that belong to it; the wanted numbers are in `into` afterwards. Where it is the last
   * one that anybody reads, only as far as something is wanted.
   */
  readNumbers(
    coded: SymbolColumns,
    column: number,
    plain: PlainBits,
    into: NumberColumn,
    isLast: boolean,
  ): void {
    const { wanted, bounds, boundCount } = this;
    const count = isLast ? bounds[boundCount - 1] : this.count;
    if (this.symbols.length < count) this.symbols = new Uint8Array(2 * count);
    const { symbols } = this;
    coded.read(column, NUMBER_SYMBOLS, symbols, count);
    into.count = 0;
    into.add(wanted);
    const { values } = into;
    let at = 0;
    let before = 0;
    for (let k = 0; k < boundCount; k += 2) {
      plain.skip(digitsOf(symbols, before, bounds[k]));
      before = bounds[k + 1];
      for (let i = bounds[k]; i < before; i++) {
        const symbol = symbols[i];
        const number = base[symbol] + plain.bits(digits[symbol]);
        values[at++] = (number >>> 1) ^ -(number & 1);
      }
    }
    if (!isLast) plain.skip(digitsOf(symbols, before, count));
  }

  /** Gathers the wanted ones of a column's symbols. */
  copyTo(symbols: Uint8Array, into: { values: Uint8Array; count: number }): void {
    if (into.values.length < this.wanted) into.values = new Uint8Array(2 * this.wanted);
    let at = 0;
    for (let k = 0; k < this.boundCount; k += 2) {
      for (let i = this.bounds[k]; i < this.bounds[k + 1]; i++) into.values[at++] = symbols[i];
    }
    into.count = at;
  }
}

/** Bits that the symbols `[from, to)` have behind them. */
function digitsOf(symbols: Uint8Array, from: number, to: number): number {
  let sum = 0;
  for (let i = from; i < to; i++) sum += digits[symbols[i]];
  return sum;
}
