import {
  CAN_EFF_FLAG,
  CAN_ERR_FLAG,
  CAN_RTR_FLAG,
  CAN_SFF_MASK,
  FRAME_DATA_BYTES_MAX,
  FRAME_FD,
  FRAME_RX,
  FRAME_TX,
  fdDlcByLength,
  fdLengthByDlc,
} from './frames.js';
import {
  CANDUMP_LINE_BYTES_MAX,
  CLOSE,
  CR,
  DECIMALS_MAX,
  DOT,
  HASH,
  LETTER_R,
  LETTER_T,
  LF,
  NO_HEX_DIGIT,
  OPEN,
  SPACE,
  UNDERSCORE,
  ZERO,
  hexDigit,
  lineResult,
  type LineResult,
} from './candump-grammar.js';
import { InterfaceNames } from './candump-names.js';
import { FORM_CRLF, FORM_ZERO } from './candump-style.js';

const SECONDS_MAX = 9_000_000_000; // µs stay safe integers, until the year 2255
const COLON = 58;
const TAB = 9;

/**
 * Reads one line of any shape that candump-grammar.ts allows into its fields. Every look-ahead stops at the line
 * feed, because none of the tables takes it: lines need no end to be passed along.
 */
export class CandumpLine {
  timeUs = 0;
  /** As written, with the sign turned where the first is a zero. */
  secondsDigits = 0;
  id = 0;
  flags = 0;
  dlc = 0;
  readonly data = new Uint8Array(FRAME_DATA_BYTES_MAX + 1);
  length = 0;
  /** Decimals, line end and a zero at the end of the fraction: see candump-style.ts. */
  form = 0;
  /** Sum of the notes of all hex digits: UPPER_CASE, LOWER_CASE. */
  digits = 0;
  /** True where the text isn't what the formatter would write, whatever the style. */
  odd = false;
  /** Offset behind the line feed. */
  end = 0;
  /** `names.last` is the line's interface. */
  readonly names = new InterfaceNames();

  private bytes: Uint8Array = new Uint8Array(0);
  private at = 0;

  /** Reads the line at `start`, which must end in a line feed somewhere; the fields hold only where it is `ok`. */
  read(bytes: Uint8Array, start: number): LineResult {
    this.bytes = bytes;
    this.at = start;
    this.odd = false;
    this.flags = 0;
    this.length = 0;
    const result =
      this.readTime() || this.readInterface() || this.readIdentifier() || this.readBody() || this.readEnd();
    if (result === lineResult.ok && this.end - start > CANDUMP_LINE_BYTES_MAX) return lineResult.lineLength;
    return result;
  }

  /** `(SECONDS.FRACTION) ` */
  private readTime(): LineResult {
    const { bytes } = this;
    const start = this.at;
    if (bytes[start] !== OPEN) return this.noTime();
    let p = start + 1;
    let seconds = 0;
    for (let digit = bytes[p] - ZERO; digit >= 0 && digit <= 9; digit = bytes[++p] - ZERO) {
      seconds = seconds * 10 + digit;
    }
    const secondsDigits = p - start - 1;
    let micros = 0;
    let decimals = 0;
    if (bytes[p] === DOT) {
      const first = ++p;
      for (let digit = bytes[p] - ZERO; digit >= 0 && digit <= 9; digit = bytes[++p] - ZERO) {
        if (p - first < 6) micros = micros * 10 + digit;
      }
      decimals = p - first;
      if (decimals > DECIMALS_MAX) return lineResult.badTime;
      if (decimals === 0 || decimals > 6) this.odd = true;
      for (let i = decimals; i < 6; i++) micros *= 10;
    }
    if (secondsDigits === 0 || bytes[p] !== CLOSE || bytes[p + 1] !== SPACE) return lineResult.badTime;
    if (seconds > SECONDS_MAX) return lineResult.timeRange;
    this.timeUs = seconds * 1e6 + micros;
    this.form = Math.min(decimals, 6);
    if (decimals > 1 && bytes[p - 1] === ZERO) this.form |= FORM_ZERO;
    this.secondsDigits = bytes[start + 1] === ZERO ? -secondsDigits : secondsDigits;
    this.at = p + 2;
    return lineResult.ok;
  }

  private noTime(): LineResult {
    let p = this.at;
    while (this.bytes[p] === SPACE || this.bytes[p] === CR || this.bytes[p] === TAB) p++;
    if (this.bytes[p] === LF) return lineResult.emptyLine;
    return this.bytes[p] === HASH ? lineResult.comment : lineResult.noTime;
  }

  /** `INTERFACE `; candump aligns names of different lengths with more spaces, which the columns can't tell. */
  private readInterface(): LineResult {
    this.skipSpaces();
    const end = this.names.read(this.bytes, this.at);
    if (end < 0) return lineResult.badInterface;
    this.at = end + 1;
    this.skipSpaces();
    return lineResult.ok;
  }

  private skipSpaces(): void {
    while (this.bytes[this.at] === SPACE) {
      this.odd = true;
      this.at++;
    }
  }

  /** `123#` or `12345678#` */
  private readIdentifier(): LineResult {
    const { bytes } = this;
    const start = this.at;
    const length = bytes[start + 3] === HASH ? 3 : 8;
    let id = 0;
    let digits = 0;
    for (let i = 0; i < length; i++) {
      const digit = hexDigit[bytes[start + i]];
      if (digit & NO_HEX_DIGIT) {
        return i === 5 && this.isCanXl(start) ? lineResult.canXl : lineResult.badIdentifier;
      }
      digits |= digit;
      id = (id << 4) | (digit & 15);
    }
    if (bytes[start + length] !== HASH) return lineResult.badIdentifier;
    id >>>= 0;
    if (length === 3) {
      if (id > CAN_SFF_MASK) return lineResult.identifierRange;
    } else {
      if (id >= 2 * CAN_ERR_FLAG) return lineResult.identifierRange;
      if (id < CAN_ERR_FLAG) id += CAN_EFF_FLAG;
    }
    this.id = id;
    this.digits = digits;
    this.at = start + length + 1;
    return lineResult.ok;
  }

  /** `45123#81:00:12345678#…`: virtual network and priority in 5 digits. */
  private isCanXl(start: number): boolean {
    const { bytes } = this;
    if (bytes[start + 5] !== HASH) return false;
    return (
      ((hexDigit[bytes[start + 6]] | hexDigit[bytes[start + 7]]) & NO_HEX_DIGIT) === 0 &&
      bytes[start + 8] === COLON
    );
  }

  private readBody(): LineResult {
    const { bytes } = this;
    const first = bytes[this.at];
    if (first === LETTER_R || first === (LETTER_R | 0x20)) return this.readRemote();
    if (first !== HASH) return this.readData(8) || this.readClassicDlc();
    const flags = hexDigit[bytes[this.at + 1]];
    if (flags & NO_HEX_DIGIT) return lineResult.badFlags;
    if (flags > 7) this.odd = true; // the nibble's top bit has no meaning, and no room in the columns
    this.flags = FRAME_FD | (flags & 7);
    this.at += 2;
    const result = this.readData(FRAME_DATA_BYTES_MAX);
    this.dlc = fdDlcByLength[this.length];
    if (fdLengthByDlc[this.dlc] !== this.length) this.odd = true;
    return result;
  }

  /** `R`, `R4`, `R8_A` */
  private readRemote(): LineResult {
    const { bytes } = this;
    this.id += CAN_RTR_FLAG;
    this.dlc = 0;
    if (bytes[this.at] !== LETTER_R) this.odd = true;
    const digit = hexDigit[bytes[++this.at]];
    if (digit & NO_HEX_DIGIT) return lineResult.ok;
    if (digit > 8) return lineResult.badRemote;
    if (digit === 0) this.odd = true; // candump writes R
    this.dlc = digit;
    this.at++;
    return this.readRawDlc();
  }

  private readClassicDlc(): LineResult {
    this.dlc = this.length;
    return this.readRawDlc();
  }

  /** `_9` to `_F`, where the length is 8 */
  private readRawDlc(): LineResult {
    const { bytes } = this;
    if (bytes[this.at] !== UNDERSCORE) return lineResult.ok;
    const digit = hexDigit[bytes[this.at + 1]];
    if (this.dlc !== 8 || digit & NO_HEX_DIGIT || (digit & 15) < 9) return lineResult.badDlc;
    this.digits |= digit;
    this.dlc = digit & 15;
    this.at += 2;
    return lineResult.ok;
  }

  /** `1122AA`, `11.22.AA` */
  private readData(lengthMax: number): LineResult {
    const { bytes, data } = this;
    let p = this.at;
    let length = 0;
    for (;;) {
      if (bytes[p] === DOT) {
        this.odd = true; // candump writes no separators into a log
        p++;
      }
      const high = hexDigit[bytes[p]];
      if (high & NO_HEX_DIGIT) break;
      const low = hexDigit[bytes[p + 1]];
      if (low & NO_HEX_DIGIT) return endsData(bytes[p + 1]) ? lineResult.oddDigits : lineResult.badData;
      if (length === lengthMax) return lineResult.dataLength;
      this.digits |= high | low;
      data[length++] = (high << 4) | (low & 15);
      p += 2;
    }
    this.length = length;
    this.at = p;
    return lineResult.ok;
  }

  /** ` R` or ` T` of `candump -x`, and the line's end */
  private readEnd(): LineResult {
    const { bytes } = this;
    if (bytes[this.at] !== LF) {
      if (!endsData(bytes[this.at])) return lineResult.badData;
      if (bytes[this.at] === SPACE) {
        const letter = bytes[this.at + 1];
        if (letter === LETTER_R || letter === LETTER_T) {
          this.flags |= letter === LETTER_R ? FRAME_RX : FRAME_TX;
          this.at += 2;
        }
      }
      this.skipSpaces();
      if (bytes[this.at] === CR) {
        this.form |= FORM_CRLF;
        this.at++;
      }
      if (bytes[this.at] !== LF) return lineResult.trailingText;
    }
    this.end = this.at + 1;
    return lineResult.ok;
  }
}

const endsData = (byte: number): boolean => byte === LF || byte === CR || byte === SPACE;
