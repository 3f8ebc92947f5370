import { malformedPayload } from '../../batch/payload.js';
import {
  FREQUENCY_BITS,
  FREQUENCY_SUM,
  normalize,
  SIZE_BITS,
  STATE_MIN,
  SYMBOLS_MAX,
  WEIGHT_BITS,
} from '../codec/frequencies.js';
import { COLUMNS } from '../codec/tables.js';
import type { PlainBits } from './plain-bits.js';

/* Copies: V8 folds a module's own constants, not imported ones, and the loop below runs for each symbol. */
const SLOTS = FREQUENCY_SUM;
const SLOT_BITS = FREQUENCY_BITS;
const SLOT_MASK = FREQUENCY_SUM - 1;
const LEAST = STATE_MIN;

/**
 * Reads what a `SymbolWriter` wrote, as `SymbolReader` does, for those who may leave before the end: a table is worked
 * out when its column comes, and nobody asks whether all was read. Whatever the bytes, each call takes bounded time.
 */
export class SymbolColumns {
  private words = new Uint16Array(1 << 14);
  private length = 0;
  private at = 0;
  private state = 0;
  private other = 0;
  /** Of each column: how many symbols its table has, and their weights. */
  private readonly sizes = new Uint8Array(COLUMNS);
  private readonly weights = new Uint8Array(COLUMNS * SYMBOLS_MAX);
  private readonly ofTable = new Uint8Array(SYMBOLS_MAX);
  private readonly frequencies = new Uint16Array(SYMBOLS_MAX);
  /** Of each slot of the column at hand: symbol, its frequency, and the slot's place among those of the symbol. */
  private readonly symbolOf = new Uint8Array(SLOTS);
  private readonly frequencyOf = new Int32Array(SLOTS);
  private readonly placeOf = new Int32Array(SLOTS);

  readTables(input: PlainBits): void {
    for (let column = 0; column < COLUMNS; column++) {
      const size = input.bits(SIZE_BITS);
      if (size > SYMBOLS_MAX) throw malformedPayload('a table is too large');
      this.sizes[column] = size;
      const start = column * SYMBOLS_MAX;
      for (let i = start; i < start + size; i++) this.weights[i] = input.bits(WEIGHT_BITS);
      if (size > 0 && this.weights[start + size - 1] === 0) throw malformedPayload('a table ends in nothing');
    }
  }

  /** Starts on coded symbols, whose tables were read before. */
  open(bytes: Uint8Array): void {
    const length = bytes.length >> 1;
    if (length < 4 || bytes.length % 2 !== 0) throw malformedPayload('its length is impossible');
    if (this.words.length < length) this.words = new Uint16Array(2 * length);
    const { words } = this;
    new Uint8Array(words.buffer).set(bytes); // little-endian, as all machines are that Fleetlog runs on
    this.length = length;
    this.state = (words[0] << 16) | words[1];
    this.other = (words[2] << 16) | words[3];
    this.at = 4;
    if (this.state < STATE_MIN || this.other < STATE_MIN) throw malformedPayload('its states are impossible');
  }

  /**
   * The next column: its symbols are below `below`. `count` may be less than all of them only where no column follows
   * that anybody reads.
   */
  read(column: number, below: number, into: Uint8Array, count: number): void {
    if (this.sizes[column] > below || (this.sizes[column] === 0 && count > 0)) {
      throw malformedPayload('a table is not that of its column');
    }
    if (count === 0) return;
    this.workOut(column);
    const { words, length, symbolOf, frequencyOf, placeOf } = this;
    const even = count & ~1;
    let { at, state, other } = this;
    // Both states side by side: neither has to wait for the other's word.
    for (let to = 0; to < even; to += 2) {
      const slot = state & SLOT_MASK;
      const second = other & SLOT_MASK;
      state = (Math.imul(frequencyOf[slot], state >>> SLOT_BITS) + placeOf[slot]) | 0;
      other = (Math.imul(frequencyOf[second], other >>> SLOT_BITS) + placeOf[second]) | 0;
      into[to] = symbolOf[slot];
      into[to + 1] = symbolOf[second];
      if (state < LEAST) {
        if (at === length) throw tooShort();
        state = (state << 16) | words[at++];
      }
      if (other < LEAST) {
        if (at === length) throw tooShort();
        other = (other << 16) | words[at++];
      }
    }
    if (even < count) {
      const slot = state & SLOT_MASK;
      into[even] = symbolOf[slot];
      state = (Math.imul(frequencyOf[slot], state >>> SLOT_BITS) + placeOf[slot]) | 0;
      if (state < LEAST) {
        if (at === length) throw tooShort();
        state = (state << 16) | words[at++];
      }
    }
    this.at = at;
    this.state = state;
    this.other = other;
  }

  private workOut(column: number): void {
    const { sizes, weights, ofTable, frequencies, symbolOf, frequencyOf, placeOf } = this;
    const size = sizes[column];
    for (let i = 0; i < size; i++) ofTable[i] = weights[column * SYMBOLS_MAX + i];
    normalize(ofTable, 0, size, frequencies);
    let at = 0;
    for (let symbol = 0; symbol < size; symbol++) {
      const frequency = frequencies[symbol];
      for (let place = 0; place < frequency; place++, at++) {
        symbolOf[at] = symbol;
        frequencyOf[at] = frequency;
        placeOf[at] = place;
      }
    }
  }
}

const tooShort = (): Error => malformedPayload('it ends too early');
