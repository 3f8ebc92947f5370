import { malformedPayload } from '../../batch/payload.js';
import type { BitReader } from './bit-reader.js';
import {
  FREQUENCY_BITS,
  FREQUENCY_SUM,
  normalize,
  SIZE_BITS,
  STATE_MIN,
  SYMBOLS_MAX,
  WEIGHT_BITS,
} from './frequencies.js';
import { COLUMNS } from './tables.js';

/* Copies: V8 folds a module's own constants, not imported ones, and the loops below run for each symbol. */
const SLOT_BITS = FREQUENCY_BITS;
const SLOT_MASK = FREQUENCY_SUM - 1;
const SYMBOL_MASK = SYMBOLS_MAX - 1;
const FREQUENCY_SHIFT = 6;
const FREQUENCY_MASK = 2 * FREQUENCY_SUM - 1;
const PLACE_SHIFT = 16;
const LEAST = STATE_MIN;

/** Reads what a `SymbolWriter` wrote, column by column. Whatever the bytes, each call takes bounded time. */
export class SymbolReader {
  private words = new Uint16Array(1 << 14);
  private length = 0;
  private at = 0;
  private state = 0;
  private other = 0;
  private readonly weights = new Uint8Array(SYMBOLS_MAX);
  private readonly frequencies = new Uint16Array(SYMBOLS_MAX);
  /** Of each slot of each table: symbol | its frequency << 6 | the slot's place among those of the symbol << 16. */
  private readonly slots = new Int32Array(COLUMNS << FREQUENCY_BITS);
  /** Of each table: symbols 0 to size - 1. */
  private readonly sizes = new Uint8Array(COLUMNS);

  readTables(input: BitReader): void {
    for (let column = 0; column < COLUMNS; column++) this.readTable(input, column);
  }

  /** Starts on coded symbols, whose tables were read before. */
  open(bytes: Uint8Array): void {
    const length = bytes.length >> 1;
    if (length < 4 || bytes.length % 2 !== 0) throw malformedPayload('its length is impossible');
    if (this.words.length < length) this.words = new Uint16Array(2 * length);
    const { words } = this;
    for (let i = 0; i < length; i++) words[i] = bytes[2 * i] | (bytes[2 * i + 1] << 8);
    this.length = length;
    this.state = (words[0] << 16) | words[1];
    this.other = (words[2] << 16) | words[3];
    this.at = 4;
    if (this.state < STATE_MIN || this.other < STATE_MIN) throw malformedPayload('its states are impossible');
  }

  /** Throws unless exactly what was written has been read. */
  close(): void {
    if (this.state !== STATE_MIN || this.other !== STATE_MIN || this.at !== this.length) {
      throw malformedPayload('it does not end where its content does');
    }
  }

  /** The next column: `count` symbols below `below`. */
  column(column: number, below: number, into: Uint8Array, count: number): void {
    if (this.sizes[column] > below || (this.sizes[column] === 0 && count > 0)) {
      throw malformedPayload('a table is not that of its column');
    }
    const { words, length, slots } = this;
    const base = column << SLOT_BITS;
    const even = count & ~1;
    let { at, state, other } = this;
    for (let to = 0; to < even; to += 2) {
      const slot = slots[base | (state & SLOT_MASK)];
      into[to] = slot & SYMBOL_MASK;
      state =
        Math.imul((slot >>> FREQUENCY_SHIFT) & FREQUENCY_MASK, state >>> SLOT_BITS) + (slot >>> PLACE_SHIFT);
      if (state < LEAST) {
        if (at === length) throw tooShort();
        state = (state << 16) | words[at++];
      }
      const second = slots[base | (other & SLOT_MASK)];
      into[to + 1] = second & SYMBOL_MASK;
      other =
        Math.imul((second >>> FREQUENCY_SHIFT) & FREQUENCY_MASK, other >>> SLOT_BITS) +
        (second >>> PLACE_SHIFT);
      if (other < LEAST) {
        if (at === length) throw tooShort();
        other = (other << 16) | words[at++];
      }
    }
    if (even < count) {
      const slot = slots[base | (state & SLOT_MASK)];
      into[even] = slot & SYMBOL_MASK;
      state =
        Math.imul((slot >>> FREQUENCY_SHIFT) & FREQUENCY_MASK, state >>> SLOT_BITS) + (slot >>> PLACE_SHIFT);
      if (state < LEAST) {
        if (at === length) throw tooShort();
        state = (state << 16) | words[at++];
      }
    }
    this.at = at;
    this.state = state;
    this.other = other;
  }

  private readTable(input: BitReader, column: number): void {
    const size = input.bits(SIZE_BITS);
    if (size > SYMBOLS_MAX) throw malformedPayload('a table is too large');
    this.sizes[column] = size;
    if (size === 0) return;
    const { weights, frequencies, slots } = this;
    for (let i = 0; i < size; i++) weights[i] = input.bits(WEIGHT_BITS);
    if (weights[size - 1] === 0) throw malformedPayload('a table ends in nothing');
    normalize(weights, 0, size, frequencies);
    let at = column << SLOT_BITS;
    for (let symbol = 0; symbol < size; symbol++) {
      const frequency = frequencies[symbol];
      const slot = symbol | (frequency << FREQUENCY_SHIFT);
      for (let place = 0; place < frequency; place++) slots[at++] = slot | (place << PLACE_SHIFT);
    }
  }
}

const tooShort = (): Error => malformedPayload('it ends too early');
