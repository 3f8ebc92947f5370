import { malformedPayload } from '../../batch/payload.js';
import { TIME_OFFSET_LIMIT_US } from '../frames.js';
import type { BitReader } from './bit-reader.js';
import type { BitWriter } from './bit-writer.js';
import { unzigzag, zigzag } from './numbers.js';
import type { SymbolReader } from './symbol-reader.js';
import type { SymbolWriter } from './symbol-writer.js';
import { FREQUENT_MAX, FrequentSteps } from './frequent-steps.js';
import { TIME } from './tables.js';

/*
 * times      = unit start frequent { step } { rest }
 * unit       = number           ; µs, 1 to a second: all offsets from the base are multiples of it
 * start      = 32 bits          ; of the first frame, units since the base, modulo 2^32
 * frequent   = 5 bits { number } ; how many, at most 31; then the steps that are frequent, ascending: each less the one
 *                               ; before it, less 1; the first as it is
 * step       = symbol           ; of each other frame, units since the frame before:
 *               0 … 30          ; the frequent step of that place
 *               31 + d          ; a zigzag number of d binary digits (d = 0 … 32)
 * rest       = bits             ; of each step 33 and above: the digits behind the first
 *
 * Adapters are asked at fixed intervals and hand over several frames at once, so few steps make up most.
 */
const OTHER = FREQUENT_MAX;
const SYMBOLS = OTHER + 33;
const UNIT_MAX = 1_000_000;
/* A copy: V8 folds a module's own constants, not imported ones, and the loops below run for each frame. */
const LIMIT_US = TIME_OFFSET_LIMIT_US;

/** Writes and reads the time offsets of frames. Reused from batch to batch. */
export class Times {
  private readonly frequent = new FrequentSteps();
  private steps = new Int32Array(4096);
  private symbols = new Uint8Array(4096);

  write(out: SymbolWriter, bits: BitWriter, offsetUs: Int32Array, count: number): void {
    const unit = chooseUnit(offsetUs, count);
    bits.reserve(1024 + 32 * count);
    bits.number(unit);
    if (count === 0) return;
    bits.long((offsetUs[0] / unit) >>> 0, 32);
    this.reserve(count);
    const { steps, frequent } = this;
    let before = offsetUs[0] / unit;
    for (let i = 1; i < count; i++) {
      const time = unit === 1 ? offsetUs[i] : offsetUs[i] / unit;
      // The unit 1 needs the wrap: a difference can have 33 bits. Those of greater units are far smaller.
      steps[i - 1] = (time - before) | 0;
      before = time;
    }
    frequent.choose(steps, count - 1);
    bits.bits(frequent.count, 5);
    let next = 0;
    for (let i = 0; i < frequent.count; i++) {
      bits.number(frequent.steps[i] - next);
      next = frequent.steps[i] + 1;
    }
    const column = out.columns[TIME];
    column.reserve(count);
    const { symbols } = column;
    for (let i = 0; i < count - 1; i++) {
      const step = steps[i];
      const place = frequent.placeOf(step);
      if (place >= 0) {
        symbols[i] = place;
        continue;
      }
      const number = zigzag(step);
      const digits = 32 - Math.clz32(number);
      symbols[i] = OTHER + digits;
      if (digits > 1) bits.long(number & ((1 << (digits - 1)) - 1), digits - 1);
    }
    column.count = count - 1;
  }

  /** All offsets that it stores are within ± TIME_OFFSET_LIMIT_US. */
  read(input: SymbolReader, bits: BitReader, offsetUs: Int32Array, count: number): void {
    const unit = bits.numberUpTo(UNIT_MAX);
    if (unit === 0) throw malformedPayload('its unit of time is 0');
    if (count === 0) return;
    const start = bits.long(32) | 0;
    this.reserve(count);
    const { symbols, steps } = this;
    const frequent = bits.bits(5);
    let next = 0;
    for (let i = 0; i < frequent; i++) {
      next += bits.number();
      steps[i] = next;
      next++;
    }
    input.column(TIME, SYMBOLS, symbols, count - 1);
    let time = start;
    offsetUs[0] = start * unit;
    let largest = Math.abs(start);
    for (let i = 1; i < count; i++) {
      const symbol = symbols[i - 1];
      time = (time + (symbol < frequent ? steps[symbol] : readStep(bits, symbol - OTHER))) | 0;
      const magnitude = time < 0 ? -time : time;
      if (magnitude > largest) largest = magnitude;
      offsetUs[i] = Math.imul(time, unit);
    }
    if (largest * unit > LIMIT_US) throw malformedPayload('a time is too far from the base');
  }

  private reserve(count: number): void {
    if (count + FREQUENT_MAX <= this.steps.length) return;
    this.steps = new Int32Array(2 * count + FREQUENT_MAX);
    this.symbols = new Uint8Array(2 * count + FREQUENT_MAX);
  }
}

function readStep(bits: BitReader, digits: number): number {
  if (digits < 0) throw malformedPayload('a step of time is not listed');
  if (digits < 2) return unzigzag(digits);
  return unzigzag((1 << (digits - 1)) | bits.long(digits - 1));
}

/** The largest power of ten, up to a second, that divides all times of the batch (µs). */
function chooseUnit(offsetUs: Int32Array, count: number): number {
  let unit = UNIT_MAX;
  for (let i = 0; i < count && unit > 1; i++) {
    while (offsetUs[i] % unit !== 0) unit /= 10;
  }
  return unit;
}
