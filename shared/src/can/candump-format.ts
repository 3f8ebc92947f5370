import {
  CAN_EFF_FLAG,
  CAN_EFF_MASK,
  CAN_ERR_FLAG,
  CAN_RTR_FLAG,
  CAN_SFF_MASK,
  FRAME_BRS,
  FRAME_ESI,
  FRAME_FD,
  FRAME_FDF,
  FRAME_RX,
  FRAME_TX,
  type CanFrames,
} from './frames.js';
import {
  CR,
  DOT,
  HASH,
  LETTER_R,
  LETTER_T,
  LF,
  PADDED_SECONDS_DIGITS,
  SPACE,
  UNDERSCORE,
  ZERO,
} from './candump-grammar.js';

/** Text of a frame without its interface name and data: time 1 + 16 + 1 + 6 + 2, id 10, `##F`, `_F`, ` R`, CR LF. */
const LINE_OVERHEAD_BYTES_MAX = 48;
/** Pieces of text are written in words of 4 bytes, whose last may reach beyond the piece. */
const WORD_BYTES = 4;

const upperPairs = textPairs('0123456789ABCDEF');
const lowerPairs = textPairs('0123456789abcdef');
const decimalPairs = textPairs('0123456789');

/** Writes columns as `candump -L` text (see candump-grammar.ts): verbatim lines as they came, the rest by `style`. */
export class CandumpFormatter {
  private out = new Uint8Array(64 * 1024);
  private view = new DataView(this.out.buffer);
  /** Interfaces of the last call and the texts of their names. */
  private buses: string[] = [];
  private names: Piece[] = [];

  /** The lines of the frames `[from, to)`; a view that holds until the next call. Times before 1970 are written as 0. */
  format(frames: CanFrames, from = 0, to = frames.count): Uint8Array {
    const names = this.namesOf(frames.buses);
    this.reserve(frames, names, from, to);
    const { style, verbatim, flags, dlc, data, dataStart } = frames;
    const { out, view } = this;
    const { decimals } = style;
    const pairs = style.lowerCase ? lowerPairs : upperPairs;
    const hasVerbatim = verbatim.size > 0;
    let seconds = -1;
    let secondsText = textPiece('');
    let p = 0;

    for (let i = from; i < to; i++) {
      if (hasVerbatim) {
        const line = verbatim.get(i);
        if (line !== undefined) {
          out.set(line, p);
          p += line.length;
          continue;
        }
      }
      const timeUs = Math.max(0, frames.baseTimeUs + frames.timeOffsetUs[i]);
      const sinceSecondUs = timeUs - seconds * 1e6;
      if (sinceSecondUs < 0 || sinceSecondUs >= 1e6) {
        seconds = Math.floor(timeUs / 1e6);
        secondsText = textPiece(
          `(${String(seconds).padStart(style.padded ? PADDED_SECONDS_DIGITS : 1, '0')}.`,
        );
      }
      p = writePiece(view, p, secondsText);
      p = writeFraction(out, view, p, timeUs - seconds * 1e6, decimals);
      if (style.trimmed && decimals > 1) while (out[p - 1] === ZERO && out[p - 2] !== DOT) p--;
      p = writePiece(view, p, names[frames.bus[i]]);
      const id = frames.id[i];
      p = writeId(view, out, p, id, pairs);
      if (id & CAN_RTR_FLAG) {
        p = writeRemote(out, p, dlc[i], pairs);
      } else {
        if (flags[i] & FRAME_FD) {
          out[p] = HASH;
          out[p + 1] = ZERO + (flags[i] & (FRAME_BRS | FRAME_ESI | FRAME_FDF));
          p += 2;
        }
        const end = dataStart[i + 1];
        for (let k = dataStart[i]; k < end; k++) {
          view.setUint16(p, pairs[data[k]]);
          p += 2;
        }
        if (dlc[i] > 8 && !(flags[i] & FRAME_FD)) p = writeRawDlc(out, p, dlc[i], pairs);
      }
      if (flags[i] & (FRAME_RX | FRAME_TX)) {
        out[p] = SPACE;
        out[p + 1] = flags[i] & FRAME_RX ? LETTER_R : LETTER_T;
        p += 2;
      }
      if (style.crlf) out[p++] = CR;
      out[p++] = LF;
    }
    return out.subarray(0, p);
  }

  private namesOf(buses: string[]): Piece[] {
    const isSame = buses.length === this.buses.length && buses.every((name, i) => name === this.buses[i]);
    if (!isSame) {
      this.buses = [...buses];
      this.names = buses.map((name) => textPiece(`) ${name} `));
    }
    return this.names;
  }

  private reserve(frames: CanFrames, names: Piece[], from: number, to: number): void {
    const nameBytesMax = names.reduce((max, name) => Math.max(max, name.length), 0);
    let bytes = (to - from) * (LINE_OVERHEAD_BYTES_MAX + nameBytesMax) + WORD_BYTES;
    bytes += 2 * (frames.dataStart[to] - frames.dataStart[from]);
    for (const line of frames.verbatim.values()) bytes += line.length;
    if (bytes <= this.out.length) return;
    this.out = new Uint8Array(bytes);
    this.view = new DataView(this.out.buffer);
  }
}

/** A short text as big-endian words, the last filled up with zeros. */
interface Piece {
  words: Uint32Array;
  length: number;
}

function textPiece(text: string): Piece {
  const bytes = Buffer.from(text, 'latin1');
  const words = new Uint32Array(Math.ceil(bytes.length / WORD_BYTES));
  for (let i = 0; i < bytes.length; i++) words[i >> 2] |= bytes[i] << (24 - 8 * (i & 3));
  return { words, length: bytes.length };
}

function writePiece(view: DataView, p: number, piece: Piece): number {
  const { words } = piece;
  for (let k = 0; k < words.length; k++) view.setUint32(p + WORD_BYTES * k, words[k]);
  return p + piece.length;
}

/** Writes the digits behind the point; without any, takes the point back. */
function writeFraction(out: Uint8Array, view: DataView, p: number, micros: number, decimals: number): number {
  if (decimals === 6) {
    const high = (micros / 10_000) | 0;
    const rest = micros - high * 10_000;
    const middle = (rest / 100) | 0;
    view.setUint16(p, decimalPairs[high]);
    view.setUint16(p + 2, decimalPairs[middle]);
    view.setUint16(p + 4, decimalPairs[rest - middle * 100]);
    return p + 6;
  }
  if (decimals === 0) return p - 1;
  let fraction = Math.floor(micros / 10 ** (6 - decimals));
  for (let k = decimals - 1; k >= 0; k--) {
    out[p + k] = ZERO + (fraction % 10);
    fraction = (fraction / 10) | 0;
  }
  return p + decimals;
}

function writeId(view: DataView, out: Uint8Array, p: number, id: number, pairs: Uint16Array): number {
  if (id & (CAN_EFF_FLAG | CAN_ERR_FLAG)) {
    const value = id & (CAN_ERR_FLAG | CAN_EFF_MASK);
    view.setUint16(p, pairs[value >>> 24]);
    view.setUint16(p + 2, pairs[(value >> 16) & 255]);
    view.setUint16(p + 4, pairs[(value >> 8) & 255]);
    view.setUint16(p + 6, pairs[value & 255]);
    out[p + 8] = HASH;
    return p + 9;
  }
  const value = id & CAN_SFF_MASK;
  out[p] = pairs[value >> 8] & 255;
  view.setUint16(p + 1, pairs[value & 255]);
  out[p + 3] = HASH;
  return p + 4;
}

function writeRemote(out: Uint8Array, p: number, dlc: number, pairs: Uint16Array): number {
  out[p++] = LETTER_R;
  if (dlc > 0) out[p++] = ZERO + Math.min(dlc, 8);
  return dlc > 8 ? writeRawDlc(out, p, dlc, pairs) : p;
}

function writeRawDlc(out: Uint8Array, p: number, dlc: number, pairs: Uint16Array): number {
  out[p] = UNDERSCORE;
  out[p + 1] = pairs[dlc & 15] & 255;
  return p + 2;
}

/** Big-endian texts of all pairs of the digits, by value. */
function textPairs(digits: string): Uint16Array {
  const base = digits.length;
  return Uint16Array.from(
    { length: base * base },
    (_, i) => (digits.charCodeAt(Math.floor(i / base)) << 8) | digits.charCodeAt(i % base),
  );
}
