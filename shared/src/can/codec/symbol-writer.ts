import type { BitWriter } from './bit-writer.js';
import {
  FREQUENCY_BITS,
  FREQUENCY_SUM,
  normalize,
  SIZE_BITS,
  STATE_MIN,
  SYMBOLS_MAX,
  weightOf,
  WEIGHT_BITS,
} from './frequencies.js';
import { resized } from './resized.js';
import { COLUMNS } from './tables.js';

/** A state gives 16 bits away before it takes a symbol, where it is `frequency << ROOM_SHIFT` or more. */
const ROOM_SHIFT = 31 - FREQUENCY_BITS;
/**
 * Factor of the reciprocals. A product with one, rounded down, is the exact quotient: above it by less than 2^-4 parts of
 * 1 / frequency, since states are below 2^31.
 */
const ROUND_UP = 1 + 2 ** -35;
/* A copy: V8 folds a module's own constants, not imported ones, and the loops below run for each symbol. */
const SUM = FREQUENCY_SUM;

/** Symbols on their way to the coder. */
export class SymbolColumn {
  symbols = new Uint8Array(4096);
  count = 0;

  /** Makes room for `more` symbols; returns where the first of them goes. The caller moves `count`. */
  reserve(more: number): number {
    const needed = this.count + more;
    if (needed > this.symbols.length) this.symbols = resized(this.symbols, new Uint8Array(2 * needed));
    return this.count;
  }
}

/**
 * Columns of symbols, each with a table of its own: how often symbols occur gives the tables, and rANS (J. Duda,
 * "Asymmetric numeral systems", arXiv:1311.2540) codes backwards, with two states that take turns.
 *
 * Reused from batch to batch.
 */
export class SymbolWriter {
  readonly columns = Array.from({ length: COLUMNS }, () => new SymbolColumn());
  private readonly counts = new Uint32Array(SYMBOLS_MAX);
  /** Of every other symbol: counting the same one twice in a row waits for the first time. */
  private readonly otherCounts = new Uint32Array(SYMBOLS_MAX);
  private readonly weights = new Uint8Array(COLUMNS * SYMBOLS_MAX);
  private readonly frequencies = new Uint16Array(COLUMNS * SYMBOLS_MAX);
  private readonly starts = new Uint16Array(COLUMNS * SYMBOLS_MAX);
  private readonly reciprocals = new Float64Array(COLUMNS * SYMBOLS_MAX);
  private words = new Uint16Array(1 << 14);
  private at = 0;
  private state = STATE_MIN;
  private other = STATE_MIN;

  clear(): void {
    for (const column of this.columns) column.count = 0;
  }

  /** Writes the tables of all columns. */
  writeTables(out: BitWriter): void {
    out.reserve(COLUMNS * (SIZE_BITS + SYMBOLS_MAX * WEIGHT_BITS));
    for (let column = 0; column < COLUMNS; column++) {
      const size = this.buildTable(column);
      out.bits(size, SIZE_BITS);
      const base = column * SYMBOLS_MAX;
      for (let i = base; i < base + size; i++) out.bits(this.weights[i], WEIGHT_BITS);
    }
  }

  /** A view of the coded symbols of all columns, whose tables were written before. */
  code(): Uint16Array {
    let symbols = 0;
    for (const column of this.columns) symbols += column.count;
    if (this.words.length < symbols + 4) this.words = new Uint16Array(2 * symbols + 4);
    const { words } = this;
    this.at = words.length;
    this.state = STATE_MIN;
    this.other = STATE_MIN;
    for (let column = COLUMNS - 1; column >= 0; column--) this.codeColumn(column);
    let { at } = this;
    words[--at] = this.other;
    words[--at] = this.other >>> 16;
    words[--at] = this.state;
    words[--at] = this.state >>> 16;
    return words.subarray(at);
  }

  /** Codes a column in front of the words that are there, its last symbol first. */
  private codeColumn(column: number): void {
    const { words } = this;
    const { symbols, count } = this.columns[column];
    const base = column * SYMBOLS_MAX;
    const frequencies = this.frequencies.subarray(base, base + SYMBOLS_MAX);
    const starts = this.starts.subarray(base, base + SYMBOLS_MAX);
    const reciprocals = this.reciprocals.subarray(base, base + SYMBOLS_MAX);
    let { at, state, other } = this;
    let i = count;
    if (i & 1) {
      const symbol = symbols[--i];
      const frequency = frequencies[symbol];
      if (state >>> ROOM_SHIFT >= frequency) {
        words[--at] = state;
        state >>>= 16;
      }
      state += Math.imul((state * reciprocals[symbol]) | 0, SUM - frequency) + starts[symbol];
    }
    while (i > 0) {
      const second = symbols[--i];
      const secondFrequency = frequencies[second];
      if (other >>> ROOM_SHIFT >= secondFrequency) {
        words[--at] = other;
        other >>>= 16;
      }
      other += Math.imul((other * reciprocals[second]) | 0, SUM - secondFrequency) + starts[second];
      const symbol = symbols[--i];
      const frequency = frequencies[symbol];
      if (state >>> ROOM_SHIFT >= frequency) {
        words[--at] = state;
        state >>>= 16;
      }
      state += Math.imul((state * reciprocals[symbol]) | 0, SUM - frequency) + starts[symbol];
    }
    this.at = at;
    this.state = state;
    this.other = other;
  }

  /** Returns the table's size. */
  private buildTable(column: number): number {
    const { counts, otherCounts, weights, frequencies, starts, reciprocals } = this;
    const { symbols, count } = this.columns[column];
    counts.fill(0);
    otherCounts.fill(0);
    for (let i = 1; i < count; i += 2) {
      counts[symbols[i - 1]]++;
      otherCounts[symbols[i]]++;
    }
    if (count % 2 === 1) counts[symbols[count - 1]]++;
    const base = column * SYMBOLS_MAX;
    let most = 0;
    let size = 0;
    for (let i = 0; i < SYMBOLS_MAX; i++) {
      counts[i] += otherCounts[i];
      if (counts[i] === 0) continue;
      size = i + 1;
      if (counts[i] > most) most = counts[i];
    }
    if (size === 0) return 0;
    for (let i = 0; i < size; i++) weights[base + i] = counts[i] === 0 ? 0 : weightOf(counts[i] / most);
    normalize(weights, base, size, frequencies);
    let start = 0;
    for (let i = base; i < base + size; i++) {
      starts[i] = start;
      start += frequencies[i];
      reciprocals[i] = ROUND_UP / frequencies[i];
    }
    return size;
  }
}
