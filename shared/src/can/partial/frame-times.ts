import { malformedPayload } from '../../batch/payload.js';
import { FREQUENT_MAX } from '../codec/frequent-steps.js';
import { zigzag } from '../codec/numbers.js';
import { TIME } from '../codec/tables.js';
import { TIME_OFFSET_LIMIT_US } from '../frames.js';
import type { PlainBits } from './plain-bits.js';
import type { SymbolColumns } from './symbol-columns.js';

/* As in ../codec/times.ts. */
const OTHER = FREQUENT_MAX;
const SYMBOLS = OTHER + 33;
const UNIT_MAX = 1_000_000;
const LIMIT_US = TIME_OFFSET_LIMIT_US;

/** Of a symbol that stands for no step: more digits than a batch has bits. */
const UNLISTED = 0xff;

/** Of each symbol: the zigzag number as far as the symbol tells it, and how many digits follow. */
const numberOf = new Int32Array(SYMBOLS);
const digitsOf = new Uint8Array(SYMBOLS);
for (let digits = 2; digits <= 32; digits++) {
  numberOf[OTHER + digits] = 1 << (digits - 1);
  digitsOf[OTHER + digits] = digits - 1;
}
numberOf[OTHER + 1] = 1;

/** Reads the time offsets of frames. Reused from batch to batch. */
export class FrameTimes {
  private readonly numbers = Int32Array.from(numberOf);
  private readonly digits = Uint8Array.from(digitsOf);
  private symbols = new Uint8Array(4096);

  /** All offsets that it stores are within ± TIME_OFFSET_LIMIT_US. */
  read(input: SymbolColumns, plain: PlainBits, offsetUs: Int32Array, count: number): void {
    const unit = plain.numberUpTo(UNIT_MAX);
    if (unit === 0) throw malformedPayload('its unit of time is 0');
    if (count === 0) return;
    const start = plain.word() | 0;
    this.readFrequent(plain);
    if (this.symbols.length < count) this.symbols = new Uint8Array(2 * count);
    input.read(TIME, SYMBOLS, this.symbols, count - 1);
    const largest = this.addUp(plain, start, unit, offsetUs, count);
    if (largest * unit > LIMIT_US) throw malformedPayload('a time is too far from the base');
  }

  private readFrequent(plain: PlainBits): void {
    const { numbers, digits } = this;
    const frequent = plain.bits(5);
    let next = 0;
    for (let i = 0; i < frequent; i++) {
      next += plain.number();
      numbers[i] = zigzag(next | 0);
      next++;
    }
    digits.fill(0, 0, frequent);
    digits.fill(UNLISTED, frequent, OTHER);
  }

  /**
   * Returns the largest distance from the base, in units. Frequent steps and others are told apart without a branch:
   * which one comes next can't be foreseen.
   */
  private addUp(plain: PlainBits, start: number, unit: number, offsetUs: Int32Array, count: number): number {
    const { symbols, numbers, digits } = this;
    const { words, end } = plain;
    let { at } = plain;
    let time = start;
    let least = start;
    let most = start;
    let longest = 0;
    offsetUs[0] = Math.imul(start, unit);
    for (let i = 1; i < count; i++) {
      const symbol = symbols[i - 1];
      const length = digits[symbol];
      const word = at >>> 5;
      const bits = (words[word] >>> at) | ((words[word + 1] << 1) << ~at);
      const number = numbers[symbol] | (bits & ((1 << length) - 1));
      at += length;
      if (at > end) throw malformedPayload('it ends too early');
      longest |= length;
      time = (time + ((number >>> 1) ^ -(number & 1))) | 0;
      if (time < least) least = time;
      if (time > most) most = time;
      offsetUs[i] = Math.imul(time, unit);
    }
    if (longest >= UNLISTED) throw malformedPayload('a step of time is not listed');
    plain.at = at;
    return Math.max(-least, most);
  }
}
