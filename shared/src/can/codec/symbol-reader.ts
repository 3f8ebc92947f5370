import { malformedPayload } from '../../batch/payload.js';
import {
  FREQUENCY_BITS,
  FREQUENCY_SUM,
  normalize,
  SIZE_BITS,
  STATE_MIN,
  SYMBOLS_MAX,
  WEIGHT_BITS,
} from './frequencies.js';
import { SCALE_SHIFT, SCALE_START } from './scaled-symbols.js';

/* Copies: V8 folds a module's own constants, not imported ones, and the loops below run for each symbol. */
const SLOT_BITS = FREQUENCY_BITS;
const SLOT_MASK = FREQUENCY_SUM - 1;
const SYMBOL_MASK = SYMBOLS_MAX - 1;
const FREQUENCY_MASK = 0x7ff;
const LEAST = STATE_MIN;
const SCALE = SCALE_START;
const SHIFT = SCALE_SHIFT;

/** Reads what a `SymbolWriter` wrote. Whatever the bytes, each call takes bounded time; the end is checked. */
export class SymbolReader {
  private words = new Uint16Array(1 << 14);
  private length = 0;
  private at = 0;
  private state = 0;
  private other = 0;
  private readonly weights: Uint8Array;
  private readonly frequencies: Uint16Array;
  /** Of each slot of each table: symbol | its frequency << 5 | the slot's place among those of the symbol << 16. */
  private readonly slots: Uint32Array;

  constructor(private readonly tables: number) {
    this.weights = new Uint8Array(tables * SYMBOLS_MAX);
    this.frequencies = new Uint16Array(tables * SYMBOLS_MAX);
    this.slots = new Uint32Array(tables << FREQUENCY_BITS);
  }

  /** Starts on coded bytes: reads the first states and the tables. */
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
    for (let table = 0; table < this.tables; table++) this.readTable(table);
  }

  /** Throws unless exactly what was written has been read. */
  close(): void {
    if (this.state !== STATE_MIN || this.other !== STATE_MIN || this.at !== this.length) {
      throw malformedPayload('it does not end where its content does');
    }
  }

  symbol(table: number): number {
    const { state } = this;
    const slot = this.slots[(table << SLOT_BITS) | (state & SLOT_MASK)];
    const next = Math.imul((slot >>> 5) & FREQUENCY_MASK, state >>> SLOT_BITS) + (slot >>> 16);
    this.state = this.other;
    this.other = next < LEAST ? (next << 16) | this.nextWord() : next;
    return slot & SYMBOL_MASK;
  }

  /** 1 to 15 plain bits. */
  bits(count: number): number {
    const { state } = this;
    const next = state >>> count;
    this.state = this.other;
    this.other = next < LEAST ? (next << 16) | this.nextWord() : next;
    return state & ((1 << count) - 1);
  }

  /** Columns of symbols, one after the other, whose tables follow the scale of each (scaled-symbols.ts). */
  scaled(tables: Uint8Array, into: Uint8Array, lengths: Int32Array, columns: number): void {
    const { words, length, slots } = this;
    let { at, state, other } = this;
    let to = 0;
    for (let column = 0; column < columns; column++) {
      const end = to + lengths[column];
      let scale = SCALE;
      for (; to < end; to++) {
        const slot = slots[(tables[scale] << SLOT_BITS) | (state & SLOT_MASK)];
        let next = Math.imul((slot >>> 5) & FREQUENCY_MASK, state >>> SLOT_BITS) + (slot >>> 16);
        if (next < LEAST) {
          if (at === length) throw tooShort();
          next = (next << 16) | words[at++];
        }
        state = other;
        other = next;
        const symbol = slot & SYMBOL_MASK;
        into[to] = symbol;
        scale += ((symbol << 3) - scale) >> SHIFT;
      }
    }
    this.at = at;
    this.state = state;
    this.other = other;
  }

  word(): number {
    const low = this.bits(11) | (this.bits(11) << 11);
    return (low | (this.bits(10) << 22)) >>> 0;
  }

  private nextWord(): number {
    if (this.at === this.length) throw tooShort();
    return this.words[this.at++];
  }

  private readTable(table: number): void {
    const size = this.bits(SIZE_BITS);
    if (size > SYMBOLS_MAX) throw malformedPayload('a table is too large');
    const { weights, frequencies, slots } = this;
    const base = table * SYMBOLS_MAX;
    let any = 0;
    for (let i = base; i < base + size; i++) any |= weights[i] = this.bits(WEIGHT_BITS);
    let at = table << SLOT_BITS;
    if (any === 0) {
      // No symbol uses it; one that does all the same reads zeros at no cost.
      for (let place = 0; place < FREQUENCY_SUM; place++) slots[at++] = (FREQUENCY_SUM << 5) | (place << 16);
      return;
    }
    normalize(weights, base, size, frequencies);
    for (let symbol = 0; symbol < size; symbol++) {
      const frequency = frequencies[base + symbol];
      const slot = symbol | (frequency << 5);
      for (let place = 0; place < frequency; place++) slots[at++] = slot | (place << 16);
    }
  }
}

const tooShort = (): Error => malformedPayload('it ends too early');
