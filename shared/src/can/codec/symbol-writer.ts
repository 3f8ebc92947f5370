import {
  FREQUENCY_BITS,
  FREQUENCY_SUM,
  normalize,
  SIZE_BITS,
  SYMBOLS_MAX,
  weightOf,
  WEIGHT_BITS,
} from './frequencies.js';

/** An operation is `table << 5 | symbol`, or, with this bit, `bits << 16 | value`. */
const PLAIN = 1 << 24;
const STATE_MIN = 1 << 15;

/**
 * Collects symbols and plain bits in the order in which a `SymbolReader` reads them, then writes them at once: counts
 * give the frequency tables, and rANS (J. Duda, "Asymmetric numeral systems", arXiv:1311.2540) codes backwards.
 *
 * Reused from batch to batch; a column calls `reserve` once and then stores without checks.
 */
export class SymbolWriter {
  private operations = new Uint32Array(1 << 16);
  private length = 0;
  private readonly counts: Uint32Array;
  private readonly weights: Uint8Array;
  private readonly sizes: Uint8Array;
  private readonly frequencies: Uint16Array;
  private readonly starts: Uint16Array;
  private readonly reciprocals: Float64Array;
  private words = new Uint16Array(1 << 14);

  constructor(private readonly tables: number) {
    const cells = tables * SYMBOLS_MAX;
    this.counts = new Uint32Array(cells);
    this.weights = new Uint8Array(cells);
    this.sizes = new Uint8Array(tables);
    this.frequencies = new Uint16Array(cells);
    this.starts = new Uint16Array(cells);
    this.reciprocals = new Float64Array(cells);
  }

  clear(): void {
    this.length = 0;
    this.counts.fill(0);
  }

  /** Makes room for `operations` more symbols and groups of bits. */
  reserve(operations: number): void {
    const needed = this.length + operations;
    if (needed <= this.operations.length) return;
    const larger = new Uint32Array(Math.max(needed, 2 * this.operations.length));
    larger.set(this.operations.subarray(0, this.length));
    this.operations = larger;
  }

  symbol(table: number, symbol: number): void {
    const cell = (table << 5) | symbol;
    this.operations[this.length++] = cell;
    this.counts[cell]++;
  }

  /** The low `count` bits of a value, 1 to 15 (more would leave no room in the coder's state). */
  bits(value: number, count: number): void {
    this.operations[this.length++] = PLAIN | (count << 16) | value;
  }

  /** 32 bits in groups of 11, 11 and 10, the low one first. */
  word(value: number): void {
    this.bits(value & 0x7ff, 11);
    this.bits((value >>> 11) & 0x7ff, 11);
    this.bits(value >>> 22, 10);
  }

  /** What was collected, coded, in a buffer of its own behind `head` free bytes. */
  finish(head: number): Uint8Array {
    this.buildTables();
    const { operations, length, frequencies, starts, reciprocals } = this;
    const wordsMax = length + this.tables * (SYMBOLS_MAX + 2) + 2;
    if (this.words.length < wordsMax) this.words = new Uint16Array(2 * wordsMax);
    const { words } = this;
    let at = words.length;
    let state = STATE_MIN;
    for (let i = length - 1; i >= 0; i--) {
      const operation = operations[i];
      if (operation < PLAIN) {
        const frequency = frequencies[operation];
        if (frequency === FREQUENCY_SUM) continue; // nothing else is possible: costs nothing
        if (state >= frequency << (31 - FREQUENCY_BITS)) {
          words[--at] = state;
          state >>>= 16;
        }
        // Exact: state < 2^31 and the half keeps the product away from the next integer.
        const quotient = ((state + 0.5) * reciprocals[operation]) | 0;
        state += Math.imul(quotient, FREQUENCY_SUM - frequency) + starts[operation];
      } else {
        const count = (operation >>> 16) & 0xff;
        if (state >>> (31 - count) !== 0) {
          words[--at] = state;
          state >>>= 16;
        }
        state = (state << count) | (operation & 0xffff);
      }
    }
    for (let table = this.tables - 1; table >= 0; table--) {
      const base = table * SYMBOLS_MAX;
      for (let i = this.sizes[table] - 1; i >= 0; i--) {
        if (state >>> (31 - WEIGHT_BITS) !== 0) {
          words[--at] = state;
          state >>>= 16;
        }
        state = (state << WEIGHT_BITS) | this.weights[base + i];
      }
      if (state >>> (31 - SIZE_BITS) !== 0) {
        words[--at] = state;
        state >>>= 16;
      }
      state = (state << SIZE_BITS) | this.sizes[table];
    }
    words[--at] = state;
    words[--at] = state >>> 16;
    const coded = new Uint8Array(head + 2 * (words.length - at));
    for (let to = head; at < words.length; at++) {
      coded[to++] = words[at];
      coded[to++] = words[at] >>> 8;
    }
    return coded;
  }

  private buildTables(): void {
    const { counts, weights, sizes, frequencies, starts, reciprocals } = this;
    for (let table = 0; table < this.tables; table++) {
      const base = table * SYMBOLS_MAX;
      let most = 0;
      let size = 0;
      for (let i = 0; i < SYMBOLS_MAX; i++) {
        const count = counts[base + i];
        if (count === 0) continue;
        size = i + 1;
        if (count > most) most = count;
      }
      sizes[table] = size;
      if (size === 0) continue;
      for (let i = base; i < base + size; i++) weights[i] = counts[i] === 0 ? 0 : weightOf(counts[i] / most);
      normalize(weights, base, size, frequencies);
      let start = 0;
      for (let i = base; i < base + size; i++) {
        starts[i] = start;
        start += frequencies[i];
        reciprocals[i] = 1 / frequencies[i];
      }
    }
  }
}
