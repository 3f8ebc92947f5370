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
import { SCALE_SHIFT, SCALE_START } from './scaled-symbols.js';

/** An operation is `table << 5 | symbol`, or, with this bit, `bits << 16 | value`. */
const PLAIN = 1 << 24;
/** A state gives 16 bits away before it takes a symbol, where it is `frequency << ROOM_SHIFT` or more. */
const ROOM_SHIFT = 31 - FREQUENCY_BITS;
/* Copies: V8 folds a module's own constants, not imported ones, and the loops below run for each symbol. */
const SUM = FREQUENCY_SUM;
const SHIFT = SCALE_SHIFT;
const SCALE = SCALE_START;

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
  private readonly tableOperations: Uint32Array;
  private words = new Uint16Array(1 << 14);
  private at = 0;
  private state = STATE_MIN;
  private other = STATE_MIN;

  constructor(private readonly tables: number) {
    const cells = tables * SYMBOLS_MAX;
    this.tableOperations = new Uint32Array(cells + tables);
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

  /** Columns of symbols, one after the other, whose tables follow the scale of each (scaled-symbols.ts). */
  scaled(tables: Uint8Array, symbols: Uint8Array, lengths: Int32Array, columns: number): void {
    const { operations, counts } = this;
    let { length } = this;
    let from = 0;
    for (let column = 0; column < columns; column++) {
      const end = from + lengths[column];
      let scale = SCALE;
      for (; from < end; from++) {
        const symbol = symbols[from];
        const cell = (tables[scale] << 5) | symbol;
        operations[length++] = cell;
        counts[cell]++;
        scale += ((symbol << 3) - scale) >> SHIFT;
      }
    }
    this.length = length;
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
    const wordsMax = this.length + this.tables * (SYMBOLS_MAX + 1) + 4;
    if (this.words.length < wordsMax) this.words = new Uint16Array(2 * wordsMax);
    const { words } = this;
    this.at = words.length;
    this.state = STATE_MIN;
    this.other = STATE_MIN;
    this.code(this.operations, this.length);
    this.code(this.tableOperations, this.writeTables());
    let { at } = this;
    words[--at] = this.other;
    words[--at] = this.other >>> 16;
    words[--at] = this.state;
    words[--at] = this.state >>> 16;
    const coded = new Uint8Array(head + 2 * (words.length - at));
    for (let to = head; at < words.length; at++) {
      coded[to++] = words[at];
      coded[to++] = words[at] >>> 8;
    }
    return coded;
  }

  /** Codes operations, the last one first, in front of the words that are there. Two states take turns. */
  private code(operations: Uint32Array, length: number): void {
    const { words, frequencies, starts, reciprocals } = this;
    let { at, state, other } = this;
    for (let i = length - 1; i >= 0; i--) {
      const operation = operations[i];
      const turn = other;
      other = state;
      state = turn;
      if (operation < PLAIN) {
        const frequency = frequencies[operation];
        if (state >>> ROOM_SHIFT >= frequency) {
          words[--at] = state;
          state >>>= 16;
        }
        // Exact: state < 2^31, and the half keeps the product away from the next integer.
        const quotient = ((state + 0.5) * reciprocals[operation]) | 0;
        state += Math.imul(quotient, SUM - frequency) + starts[operation];
      } else {
        const count = (operation >>> 16) & 0xff;
        if (state >>> (31 - count) !== 0) {
          words[--at] = state;
          state >>>= 16;
        }
        state = (state << count) | (operation & 0xffff);
      }
    }
    this.at = at;
    this.state = state;
    this.other = other;
  }

  private writeTables(): number {
    const { tableOperations, sizes, weights } = this;
    let length = 0;
    for (let table = 0; table < this.tables; table++) {
      tableOperations[length++] = PLAIN | (SIZE_BITS << 16) | sizes[table];
      for (let i = 0; i < sizes[table]; i++) {
        tableOperations[length++] = PLAIN | (WEIGHT_BITS << 16) | weights[table * SYMBOLS_MAX + i];
      }
    }
    return length;
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
