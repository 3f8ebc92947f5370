import { IsoWriter } from '../export/iso-time.js';

/** `000` to `999`. */
const triples = new Uint8Array(3000);
for (let i = 0; i < 1000; i++) {
  triples.set([48 + Math.floor(i / 100), 48 + (Math.floor(i / 10) % 10), 48 + (i % 10)], 3 * i);
}
const letterZ = 0x5a;
/** Bytes that a character takes in UTF-8, at most, counted in those of `String.length`. */
const utf8Max = 3;

/** Texts of numbers that are remembered, and their longest: `-1.2345678901234567e-300`. */
const numbersMax = 2048;
const numberBytes = 24;

/** Rows as UTF-8, one behind the other. Times and numbers, of which rows are made, go in without a string each. */
export class RowBytes {
  length = 0;
  private buffer: Buffer;
  private readonly times = new IsoWriter();
  private second = NaN;
  /** `2026-11-05T10:00:00.` */
  private readonly head = new Uint8Array(64);
  private headLength = 0;
  /** Signals say the same numbers again and again: each at a place that its bits decide, NaN where there is none. */
  private readonly known = new Float64Array(numbersMax).fill(NaN);
  private readonly knownText = new Uint8Array(numbersMax * numberBytes);
  private readonly knownLength = new Uint8Array(numbersMax);
  private readonly double = new Float64Array(1);
  private readonly halves = new Uint32Array(this.double.buffer);

  constructor(private readonly bytesMin: number) {
    this.buffer = Buffer.allocUnsafeSlow(bytesMin);
  }

  /** What was written; it belongs to the caller. */
  take(): Uint8Array {
    const taken = this.buffer.subarray(0, this.length);
    this.buffer = Buffer.allocUnsafeSlow(this.bytesMin);
    this.length = 0;
    return taken;
  }

  text(text: string): void {
    this.reserve(utf8Max * text.length);
    const { buffer } = this;
    const start = this.length;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 127) {
        this.length = start + buffer.write(text, start, 'utf8');
        return;
      }
      buffer[start + i] = code;
    }
    this.length = start + text.length;
  }

  /** As `String`. */
  number(value: number): void {
    const { double, halves, known } = this;
    double[0] = value;
    const place = (Math.imul(halves[0] ^ Math.imul(halves[1], 0x85eb_ca6b), 0x9e37_79b1) >>> 21) % numbersMax;
    if (known[place] !== value && !this.learn(place, value)) return;
    this.reserve(numberBytes);
    const { buffer, knownText } = this;
    const from = place * numberBytes;
    const count = this.knownLength[place];
    for (let i = 0; i < count; i++) buffer[this.length + i] = knownText[from + i];
    this.length += count;
  }

  /** False for what isn't equal to itself: it is written at once. */
  private learn(place: number, value: number): boolean {
    const text = String(value);
    if (Number.isNaN(value)) {
      this.text(text);
      return false;
    }
    this.known[place] = value;
    this.knownLength[place] = text.length;
    for (let i = 0; i < text.length; i++) this.knownText[place * numberBytes + i] = text.charCodeAt(i);
    return true;
  }

  /** As `isoMicros`. */
  time(timeUs: number): void {
    const second = Math.floor(timeUs / 1e6);
    if (second !== this.second && !this.setSecond(second, timeUs)) {
      this.text(this.times.text(timeUs));
      return;
    }
    this.reserve(64);
    const { buffer, head, headLength } = this;
    let at = this.length;
    for (let i = 0; i < headLength; i++) buffer[at++] = head[i];
    const us = timeUs - second * 1e6;
    const ms = Math.floor(us / 1000);
    for (let i = 0; i < 3; i++) buffer[at + i] = triples[3 * ms + i];
    for (let i = 0; i < 3; i++) buffer[at + 3 + i] = triples[3 * (us - 1000 * ms) + i];
    buffer[at + 6] = letterZ;
    this.length = at + 7;
  }

  /** False where times aren't written as dates are, or not with whole µs. */
  private setSecond(second: number, timeUs: number): boolean {
    const text = this.times.text(timeUs);
    const isDate = text.endsWith('Z') && Number.isInteger(timeUs);
    this.second = isDate ? second : NaN;
    this.headLength = isDate ? text.length - 7 : 0;
    for (let i = 0; i < this.headLength; i++) this.head[i] = text.charCodeAt(i);
    return isDate;
  }

  private reserve(bytes: number): void {
    if (this.length + bytes <= this.buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.buffer.length, this.length + bytes));
    larger.set(this.buffer.subarray(0, this.length));
    this.buffer = larger;
  }
}
