import { CAN_EFF_FLAG, CAN_ERR_FLAG, CAN_SFF_MASK, TIME_OFFSET_LIMIT_US, type CanFrames } from './frames.js';
import {
  CANDUMP_LINE_BYTES_MAX,
  CLOSE,
  CR,
  DOT,
  HASH,
  LF,
  NO_HEX_PAIR,
  OPEN,
  PADDED_SECONDS_DIGITS,
  SPACE,
  hexDigit,
  hexPair,
  lineResult,
  type LineResult,
} from './candump-grammar.js';
import { CandumpLine } from './candump-line.js';
import { DECIMALS_MASK, FORM_CRLF, FORM_TRIMMED, StyleTracker } from './candump-style.js';

/** Of a line of the common shape without the interface's name: 20 + 1 + 9 + 16 + 2, and 2 to spare. */
const COMMON_LINE_BYTES_MAX = 50;
/** Bits of a hex digit's note that tell its case. */
const CASES = 0x30;

/**
 * Parser of `candump -L` text (see candump-grammar.ts): appends one frame per line to columns that the caller may
 * exchange or clear between lines. Allocates nothing per frame, but for lines that must be kept verbatim: those that
 * `CandumpFormatter` wouldn't write back byte for byte from the columns and the batch's style.
 */
export class CandumpParser {
  /** Frames after this event time aren't due: `later`. */
  dueUs = Infinity;
  /** Frames further than this from the batch's first frame don't fit it: `seal`. At most TIME_OFFSET_LIMIT_US. */
  spanUs = TIME_OFFSET_LIMIT_US;
  /**
   * Added to each time. Where it isn't 0 no line is kept verbatim, because its text would tell the old time; frames
   * are then written with 6 decimals.
   */
  shiftUs = 0;
  /** After `ok`, `later` and `seal`: the line's event time, shifted. */
  timeUs = 0;
  /** After `ok` and after a malformed line: offset behind its line feed. */
  lineEnd = 0;
  /** Bytes in the `verbatim` of the columns that are being filled. */
  verbatimBytes = 0;

  private readonly line = new CandumpLine();
  private readonly style = new StyleTracker();
  /** The last line's second: its 10 digits as integers, and µs. */
  private secondsHead = 0;
  private secondsMiddle = 0;
  private secondsTail = 0;
  private secondUs = 0;
  /** A view of the text, for reads of several bytes at once. */
  private view: DataView = new DataView(new ArrayBuffer(0));
  private viewed: Uint8Array | undefined;
  private readonly unterminated = new Uint8Array(CANDUMP_LINE_BYTES_MAX + 1);

  /**
   * Takes the line at `start`, which must end in a line feed somewhere in `bytes`. Nothing is appended unless the
   * result is `ok`. `frames` must be empty whenever it is another object than before.
   */
  parseLine(bytes: Uint8Array, start: number, frames: CanFrames): LineResult {
    if (this.parseCommon(bytes, start, frames)) return lineResult.ok;
    const result = this.parseAny(bytes, start, frames);
    if (result > lineResult.seal) this.lineEnd = bytes.indexOf(LF, start) + 1;
    return result;
  }

  /** Takes a last line without a line feed, `[start, end)`; a frame is kept verbatim. */
  parseUnterminated(bytes: Uint8Array, start: number, end: number, frames: CanFrames): LineResult {
    this.lineEnd = end;
    if (end - start > CANDUMP_LINE_BYTES_MAX) return lineResult.lineLength;
    const line = this.unterminated;
    line.set(bytes.subarray(start, end));
    line[end - start] = LF;
    const result = this.parseAny(line, 0, frames);
    this.lineEnd = end;
    if (result === lineResult.ok) this.keepVerbatim(frames, frames.count - 1, bytes.slice(start, end));
    return result;
  }

  /**
   * The shape of nearly all lines: `(SECONDS.6 digits) INTERFACE id#data`, in the batch's style, with second and
   * interface of the line before. False for any other, with nothing appended.
   */
  private parseCommon(bytes: Uint8Array, start: number, frames: CanFrames): boolean {
    const { style } = this;
    const name = this.line.names.last;
    const count = frames.count;
    if (count === 0 || name === undefined || name.busIndex < 0) return false;
    if ((style.form & DECIMALS_MASK) !== 6) return false;
    const nameBytes = name.bytes;
    const nameLength = nameBytes.length;
    if (start + nameLength + COMMON_LINE_BYTES_MAX > bytes.length) return false;
    if (bytes !== this.viewed) this.look(bytes);
    const view = this.view;

    if (bytes[start] !== OPEN || bytes[start + 11] !== DOT || bytes[start + 18] !== CLOSE) return false;
    if (
      view.getInt32(start + 1) !== this.secondsHead ||
      view.getInt32(start + 5) !== this.secondsMiddle ||
      view.getInt16(start + 9) !== this.secondsTail
    ) {
      return false; // another second: `parse` reads it
    }
    const a = hexPair[view.getUint16(start + 12)];
    const b = hexPair[view.getUint16(start + 14)];
    const c = hexPair[view.getUint16(start + 16)];
    if ((a | b | c) > 255) return false;
    if (style.form & FORM_TRIMMED && (c & 15) === 0) return false;
    // The pairs are hex, that is BCD: 0x59 - 6 * 5 = 59
    const micros = (a - 6 * (a >> 4)) * 10_000 + (b - 6 * (b >> 4)) * 100 + (c - 6 * (c >> 4));
    const timeUs = this.secondUs + micros + this.shiftUs;
    const offsetUs = timeUs - frames.baseTimeUs;
    if (timeUs > this.dueUs || offsetUs > this.spanUs || -offsetUs > this.spanUs) return false;

    let p = start + 20;
    if (bytes[p - 1] !== SPACE || bytes[p + nameLength] !== SPACE) return false;
    for (let i = 0; i < nameLength; i++) if (bytes[p + i] !== nameBytes[i]) return false;
    p += nameLength + 1;

    let id: number;
    let digits: number;
    if (bytes[p + 3] === HASH) {
      const high = hexDigit[bytes[p]];
      digits = hexPair[view.getUint16(p + 1)] | ((high & 0xf0) << 8);
      id = ((high & 15) << 8) | (digits & 255);
      if (id > CAN_SFF_MASK) return false;
      p += 4;
    } else if (bytes[p + 8] === HASH) {
      const id3 = hexPair[view.getUint16(p)];
      const id2 = hexPair[view.getUint16(p + 2)];
      const id1 = hexPair[view.getUint16(p + 4)];
      const id0 = hexPair[view.getUint16(p + 6)];
      digits = id3 | id2 | id1 | id0;
      id = ((id3 & 255) << 24) | ((id2 & 255) << 16) | ((id1 & 255) << 8) | (id0 & 255);
      if (id < 0 || id >= CAN_ERR_FLAG) return false;
      id |= CAN_EFF_FLAG;
      p += 9;
    } else {
      return false;
    }

    const dataStart = frames.dataStart[count];
    const data = frames.data;
    if (count >= frames.id.length || dataStart + 8 > data.length) return false;
    const limit = dataStart + 8;
    let to = dataStart;
    for (; to < limit; p += 2) {
      const pair = hexPair[view.getUint16(p)];
      if (pair & NO_HEX_PAIR) break;
      digits |= pair;
      data[to++] = pair;
    }
    if (style.form & FORM_CRLF) if (bytes[p++] !== CR) return false;
    if (bytes[p] !== LF || (digits >> 8) & ~style.letterCase) return false;

    frames.timeOffsetUs[count] = offsetUs;
    frames.id[count] = id;
    frames.flags[count] = 0;
    frames.dlc[count] = to - dataStart;
    frames.bus[count] = name.busIndex;
    frames.dataStart[count + 1] = to;
    frames.count = count + 1;
    this.timeUs = timeUs;
    this.lineEnd = p + 1;
    style.lines++;
    return true;
  }

  private parseAny(bytes: Uint8Array, start: number, frames: CanFrames): LineResult {
    const { line, style } = this;
    const result = line.read(bytes, start);
    if (result !== lineResult.ok) return result;
    const timeUs = line.timeUs + this.shiftUs;
    this.timeUs = timeUs;
    if (timeUs > this.dueUs) return lineResult.later;
    const { count } = frames;
    if (count === 0) {
      this.verbatimBytes = 0;
      line.names.beginBatch();
      style.begin(frames, line.form, this.shiftUs !== 0);
    } else if (Math.abs(timeUs - frames.baseTimeUs) > this.spanUs) {
      return lineResult.seal;
    }
    const bus = line.names.busIndex(frames);
    if (bus < 0) return lineResult.seal;
    const odd = style.settle(frames, line.form, line.digits & CASES, line.secondsDigits) || line.odd;
    frames.append(timeUs, line.id, line.flags, line.dlc, bus, line.data, 0, line.length);
    if (odd) this.keepVerbatim(frames, count, bytes.slice(start, line.end));
    if (line.secondsDigits === PADDED_SECONDS_DIGITS) this.rememberSecond(bytes, start + 1, line.timeUs);
    this.lineEnd = line.end;
    return lineResult.ok;
  }

  private rememberSecond(bytes: Uint8Array, at: number, timeUs: number): void {
    if (bytes !== this.viewed) this.look(bytes);
    this.secondsHead = this.view.getInt32(at);
    this.secondsMiddle = this.view.getInt32(at + 4);
    this.secondsTail = this.view.getInt16(at + 8);
    this.secondUs = Math.floor(timeUs / 1e6) * 1e6;
  }

  private look(bytes: Uint8Array): void {
    this.viewed = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  private keepVerbatim(frames: CanFrames, index: number, line: Uint8Array): void {
    if (this.shiftUs !== 0) return;
    this.verbatimBytes += line.length - (frames.verbatim.get(index)?.length ?? 0);
    frames.verbatim.set(index, line);
  }
}
