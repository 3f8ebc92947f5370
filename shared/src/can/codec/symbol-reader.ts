import { malformedPayload } from '../../batch/payload.js';
import {
  FREQUENCY_BITS,
  FREQUENCY_SUM,
  normalize,
  SIZE_BITS,
  SYMBOLS_MAX,
  WEIGHT_BITS,
} from './frequencies.js';

const STATE_MIN = 1 << 15;

/** Reads what a `SymbolWriter` wrote. Whatever the bytes, each call takes bounded time; the end is checked. */
export class SymbolReader {
  private bytes: Uint8Array = new Uint8Array(0);
  private at = 0;
  private state = 0;
  private readonly weights: Uint8Array;
  private readonly frequencies: Uint16Array;
  private readonly starts: Uint16Array;
  /** The symbol of each slot of each table. */
  private readonly symbols: Uint8Array;

  constructor(private readonly tables: number) {
    this.weights = new Uint8Array(tables * SYMBOLS_MAX);
    this.frequencies = new Uint16Array(tables * SYMBOLS_MAX);
    this.starts = new Uint16Array(tables * SYMBOLS_MAX);
    this.symbols = new Uint8Array(tables << FREQUENCY_BITS);
  }

  /** Starts on coded bytes: reads the first state and the tables. */
  open(bytes: Uint8Array): void {
    if (bytes.length < 4) throw tooShort();
    this.bytes = bytes;
    this.at = 0;
    const high = this.nextWord();
    this.state = (high << 16) | this.nextWord();
    if (this.state < STATE_MIN) throw malformedPayload('its first state is impossible');
    for (let table = 0; table < this.tables; table++) this.readTable(table);
  }

  /** Throws unless exactly what was written has been read. */
  close(): void {
    if (this.state !== STATE_MIN || this.at !== this.bytes.length) {
      throw malformedPayload('it does not end where its content does');
    }
    this.bytes = new Uint8Array(0);
  }

  symbol(table: number): number {
    const { state } = this;
    const slot = state & (FREQUENCY_SUM - 1);
    const symbol = this.symbols[(table << FREQUENCY_BITS) | slot];
    const cell = (table << 5) | symbol;
    const next = Math.imul(this.frequencies[cell], state >>> FREQUENCY_BITS) + slot - this.starts[cell];
    this.state = next < STATE_MIN ? (next << 16) | this.nextWord() : next;
    return symbol;
  }

  /** 1 to 15 plain bits. */
  bits(count: number): number {
    const { state } = this;
    const next = state >>> count;
    this.state = next < STATE_MIN ? (next << 16) | this.nextWord() : next;
    return state & ((1 << count) - 1);
  }

  word(): number {
    const low = this.bits(11) | (this.bits(11) << 11);
    return (low | (this.bits(10) << 22)) >>> 0;
  }

  private nextWord(): number {
    const { bytes, at } = this;
    if (at + 2 > bytes.length) throw tooShort();
    this.at = at + 2;
    return bytes[at] | (bytes[at + 1] << 8);
  }

  private readTable(table: number): void {
    const size = this.bits(SIZE_BITS);
    if (size > SYMBOLS_MAX) throw malformedPayload('a table is too large');
    const base = table * SYMBOLS_MAX;
    let any = 0;
    for (let i = base; i < base + size; i++) any |= this.weights[i] = this.bits(WEIGHT_BITS);
    const slots = table << FREQUENCY_BITS;
    if (any === 0) {
      // No symbol uses it; one that does all the same reads zeros at no cost.
      this.symbols.fill(0, slots, slots + FREQUENCY_SUM);
      this.frequencies[base] = FREQUENCY_SUM;
      this.starts[base] = 0;
      return;
    }
    normalize(this.weights, base, size, this.frequencies);
    let start = 0;
    for (let symbol = 0; symbol < size; symbol++) {
      const end = start + this.frequencies[base + symbol];
      this.starts[base + symbol] = start;
      this.symbols.fill(symbol, slots + start, slots + end);
      start = end;
    }
  }
}

const tooShort = (): Error => malformedPayload('it ends too early');
