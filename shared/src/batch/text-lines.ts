import { TIME_OFFSET_LIMIT_US } from './times.js';

/**
 * Text lines as columns: the form in which lines are captured, encoded, decoded and exported.
 *
 * A record is the bytes of one line with its line end as it came (LF, CR LF, or none at the end of a recording);
 * any bytes, no character set is assumed. One object is filled and cleared over and over; nothing is allocated per
 * line. Fields are public because the hot loops read and write the arrays directly.
 */
export class TextLines {
  /** Lines held. */
  count = 0;
  /** µs since the Unix epoch; time of line i is `baseTimeUs + timeOffsetUs[i]`. */
  baseTimeUs = 0;
  timeOffsetUs: Int32Array;
  /** Line i is `bytes[lineStart[i] … lineStart[i + 1])`; `lineStart[count]` is the end. */
  lineStart: Uint32Array;
  bytes: Uint8Array;

  constructor(capacityLines = 256, capacityBytes = capacityLines * 80) {
    this.timeOffsetUs = new Int32Array(capacityLines);
    this.lineStart = new Uint32Array(capacityLines + 1);
    this.bytes = new Uint8Array(capacityBytes);
  }

  /** Bytes of all lines held. */
  get textBytes(): number {
    return this.lineStart[this.count];
  }

  timeUs(index: number): number {
    return this.baseTimeUs + this.timeOffsetUs[index];
  }

  /** Borrows the bytes of a line; valid until the next `clear` or `append`. */
  line(index: number): Uint8Array {
    return this.bytes.subarray(this.lineStart[index], this.lineStart[index + 1]);
  }

  clear(): void {
    this.count = 0;
    this.baseTimeUs = 0;
    this.lineStart[0] = 0;
  }

  /** Makes room for `lines` and `textBytes` in all (not in addition); keeps what is held. */
  reserve(lines: number, textBytes: number): void {
    if (lines > this.timeOffsetUs.length) {
      const size = Math.max(lines, 2 * this.timeOffsetUs.length);
      const times = new Int32Array(size);
      times.set(this.timeOffsetUs);
      this.timeOffsetUs = times;
      const starts = new Uint32Array(size + 1);
      starts.set(this.lineStart);
      this.lineStart = starts;
    }
    if (textBytes > this.bytes.length) {
      const bytes = new Uint8Array(Math.max(textBytes, 2 * this.bytes.length));
      bytes.set(this.bytes);
      this.bytes = bytes;
    }
  }

  /** False where the time is too far from `baseTimeUs` for this batch: the caller seals it and starts another. */
  takes(timeUs: number): boolean {
    return this.count === 0 || Math.abs(timeUs - this.baseTimeUs) <= TIME_OFFSET_LIMIT_US;
  }

  /** Appends a line; the caller has checked `takes(timeUs)`. The first line sets `baseTimeUs`. */
  append(timeUs: number, bytes: Uint8Array, start: number, length: number): void {
    const at = this.count;
    const lineStart = this.lineStart[at];
    if (at + 1 > this.timeOffsetUs.length || lineStart + length > this.bytes.length) {
      this.reserve(at + 1, lineStart + length);
    }
    if (at === 0) this.baseTimeUs = timeUs;
    this.timeOffsetUs[at] = timeUs - this.baseTimeUs;
    const text = this.bytes;
    for (let i = 0; i < length; i++) text[lineStart + i] = bytes[start + i];
    this.lineStart[at + 1] = lineStart + length;
    this.count = at + 1;
  }
}
