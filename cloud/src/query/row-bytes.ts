import { IsoWriter } from '../export/iso-time.js';

/** `000` to `999`. */
const triples = new Uint8Array(3000);
for (let i = 0; i < 1000; i++) {
  triples.set([48 + Math.floor(i / 100), 48 + (Math.floor(i / 10) % 10), 48 + (i % 10)], 3 * i);
}
const letterZ = 0x5a;
const colon = 0x3a;
const dot = 0x2e;
/** Of `2026-11-05T10:00:00.000000Z`, and the words of it that a second's times share. */
const timeBytes = 27;
const headWords = 5;
/** Bytes that a character takes in UTF-8, at most, counted in those of `String.length`. */
const utf8Max = 3;

/** Texts of numbers that are remembered, and their longest: `-1.2345678901234567e-300`. */
const numbersMax = 16_384;
const numberBytes = 24;

/** Rows as UTF-8, one behind the other. Times and numbers, of which rows are made, go in without a string each. */
export class RowBytes {
  length = 0;
  private buffer: Buffer;
  private view: DataView;
  private readonly times = new IsoWriter();
  /** Begin of the second that `head` is, and this: `2026-11-05T10:00:00.`, four characters a word. */
  private secondUs = NaN;
  private minuteUs = NaN;
  private readonly head = new Uint32Array(headWords);
  /** Signals say the same numbers again and again: each at a place that its bits decide, NaN where there is none. */
  private readonly known = new Float64Array(numbersMax).fill(NaN);
  private readonly knownText = new Uint8Array(numbersMax * numberBytes);
  private readonly knownLength = new Uint8Array(numbersMax);
  private readonly double = new Float64Array(1);
  private readonly halves = new Uint32Array(this.double.buffer);

  constructor(private readonly bytesMin: number) {
    this.buffer = Buffer.allocUnsafeSlow(bytesMin);
    this.view = viewOf(this.buffer);
  }

  /** What was written; it belongs to the caller. */
  take(): Uint8Array {
    const taken = this.buffer.subarray(0, this.length);
    this.buffer = Buffer.allocUnsafeSlow(this.bytesMin);
    this.view = viewOf(this.buffer);
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
    const hash = Math.imul(halves[0] ^ Math.imul(halves[1], 0x85eb_ca6b), 0x9e37_79b1);
    let place = (hash >>> 18) % numbersMax;
    if (known[place] !== value) {
      place ^= 1; // a second place, for two that meet
      if (known[place] !== value && !this.learn(place, value)) return;
    }
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
    let us = timeUs - this.secondUs;
    if (!(us >= 0 && us < 1e6)) {
      if (!this.setSecond(timeUs)) {
        this.text(this.times.text(timeUs));
        return;
      }
      us = timeUs - this.secondUs;
    }
    this.reserve(timeBytes);
    const { buffer, view, head } = this;
    const at = this.length;
    for (let i = 0; i < headWords; i++) view.setUint32(at + 4 * i, head[i]);
    const ms = (us / 1000) | 0;
    const high = 3 * ms;
    const low = 3 * (us - 1000 * ms);
    buffer[at + 20] = triples[high];
    buffer[at + 21] = triples[high + 1];
    buffer[at + 22] = triples[high + 2];
    buffer[at + 23] = triples[low];
    buffer[at + 24] = triples[low + 1];
    buffer[at + 25] = triples[low + 2];
    buffer[at + 26] = letterZ;
    this.length = at + timeBytes;
  }

  /** False where the time isn't written as dates of our millennia are, or isn't of whole µs. */
  private setSecond(timeUs: number): boolean {
    this.secondUs = NaN;
    if (!Number.isInteger(timeUs)) return false;
    let second = Math.floor((timeUs - this.minuteUs) / 1e6);
    if (!(second >= 0 && second < 60)) {
      this.minuteUs = 6e7 * Math.floor(timeUs / 6e7);
      const text = Buffer.from(this.times.text(this.minuteUs));
      if (text.length !== timeBytes || text[timeBytes - 1] !== letterZ) {
        this.minuteUs = NaN;
        return false;
      }
      for (let i = 0; i < headWords; i++) this.head[i] = text.readUInt32BE(4 * i);
      second = Math.floor((timeUs - this.minuteUs) / 1e6);
    }
    const digits = 3 * second;
    this.head[headWords - 1] = (colon << 24) | (triples[digits + 1] << 16) | (triples[digits + 2] << 8) | dot;
    this.secondUs = this.minuteUs + 1e6 * second;
    return true;
  }

  private reserve(bytes: number): void {
    if (this.length + bytes <= this.buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.buffer.length, this.length + bytes));
    larger.set(this.buffer.subarray(0, this.length));
    this.buffer = larger;
    this.view = viewOf(larger);
  }
}

const viewOf = ({ buffer, byteOffset, length }: Uint8Array): DataView =>
  new DataView(buffer, byteOffset, length);
