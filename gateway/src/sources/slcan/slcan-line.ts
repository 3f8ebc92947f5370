import {
  CAN_EFF_FLAG,
  CAN_EFF_MASK,
  CAN_RTR_FLAG,
  CAN_SFF_MASK,
  fdLengthByDlc,
  FRAME_BRS,
  FRAME_DATA_BYTES_MAX,
  FRAME_FD,
} from '@fleetlog/shared/can';

/*
 * Lawicel's protocol (CAN232/CANUSB manual), each line ended by CR:
 *
 *   frame = type id dlc data [ time ]       ; all in hexadecimal
 *   type  = t: 11-bit id, T: 29-bit id, r and R: the same, remote
 *         / d, D: CAN FD; b, B: CAN FD with bit rate switch     ; CANable's extension
 *   id    = 3 or 8 digits
 *   dlc   = 1 digit
 *   time  = 4 digits: ms, 0 to 59,999
 */
const frameTypes: Record<string, { idDigits: 3 | 8; remote: boolean; flags: number }> = {
  t: { idDigits: 3, remote: false, flags: 0 },
  T: { idDigits: 8, remote: false, flags: 0 },
  r: { idDigits: 3, remote: true, flags: 0 },
  R: { idDigits: 8, remote: true, flags: 0 },
  d: { idDigits: 3, remote: false, flags: FRAME_FD },
  D: { idDigits: 8, remote: false, flags: FRAME_FD },
  b: { idDigits: 3, remote: false, flags: FRAME_FD | FRAME_BRS },
  B: { idDigits: 8, remote: false, flags: FRAME_FD | FRAME_BRS },
};
const typeOf = Array.from({ length: 128 }, (_, code) => frameTypes[String.fromCharCode(code)]);
const TIME_DIGITS = 4;
export const TIME_WRAP_MS = 60_000;
/** The longest line: a frame of 64 bytes with time and CR. */
export const SLCAN_LINE_BYTES_MAX = 1 + 8 + 1 + 2 * FRAME_DATA_BYTES_MAX + TIME_DIGITS + 1;

const NO_DIGIT = -1;
const digit = Int8Array.from({ length: 256 }, (_, code) => {
  const value = Number.parseInt(String.fromCharCode(code), 16);
  return Number.isNaN(value) ? NO_DIGIT : value;
});

/** One frame as an adapter writes it. Reused from line to line. */
export class SlcanFrame {
  /** `canid_t`. */
  id = 0;
  /** FRAME_… bits. */
  flags = 0;
  dlc = 0;
  readonly data = new Uint8Array(FRAME_DATA_BYTES_MAX);
  length = 0;
  /** By the adapter's clock; -1 where it doesn't say. */
  timeMs = -1;

  /** Reads the line `[start, end)`, without its CR; false where it is no frame. */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    const type = typeOf[bytes[start]];
    if (type === undefined) return false;
    let at = start + 1;
    const id = hexAt(bytes, at, type.idDigits, end);
    at += type.idDigits;
    const dlc = hexAt(bytes, at, 1, end);
    at++;
    if (id < 0 || dlc < 0 || id > (type.idDigits === 3 ? CAN_SFF_MASK : CAN_EFF_MASK)) return false;
    const isFd = (type.flags & FRAME_FD) !== 0;
    if (type.remote && dlc > 8) return false;
    const length = type.remote ? 0 : isFd ? fdLengthByDlc[dlc] : Math.min(dlc, 8);
    for (let i = 0; i < length; i++) {
      const byte = hexAt(bytes, at, 2, end);
      if (byte < 0) return false;
      this.data[i] = byte;
      at += 2;
    }
    this.timeMs = -1;
    if (at < end) {
      const timeMs = end - at === TIME_DIGITS ? hexAt(bytes, at, TIME_DIGITS, end) : -1;
      if (timeMs < 0 || timeMs >= TIME_WRAP_MS) return false;
      this.timeMs = timeMs;
    }
    this.id = (id | (type.idDigits === 8 ? CAN_EFF_FLAG : 0) | (type.remote ? CAN_RTR_FLAG : 0)) >>> 0;
    this.flags = type.flags;
    this.dlc = dlc;
    this.length = length;
    return true;
  }
}

/** A number of so many hexadecimal digits; -1 where there are none such. */
function hexAt(bytes: Uint8Array, at: number, digits: number, end: number): number {
  if (at + digits > end) return -1;
  let value = 0;
  for (let i = at; i < at + digits; i++) {
    const one = digit[bytes[i]];
    if (one < 0) return -1;
    value = value * 16 + one;
  }
  return value;
}

/** Bits of the answer to `F`. */
const statusBits = {
  'receive-queue-full': 0x01,
  'transmit-queue-full': 0x02,
  'error-warning': 0x04,
  overrun: 0x08,
  'error-passive': 0x20,
  'arbitration-lost': 0x40,
  'bus-error': 0x80,
} as const;
/** Frames were lost. */
export const LOST_BITS = statusBits['receive-queue-full'] | statusBits.overrun;

export const namesOfStatus = (bits: number): string[] =>
  Object.entries(statusBits).flatMap(([name, bit]) => (bits & bit ? [name] : []));

/** Digit of the `S` command by bits a second. */
export const bitrateDigits = {
  10_000: 0,
  20_000: 1,
  50_000: 2,
  100_000: 3,
  125_000: 4,
  250_000: 5,
  500_000: 6,
  800_000: 7,
  1_000_000: 8,
} as const;
export type Bitrate = keyof typeof bitrateDigits;
/** Of the data of CAN FD frames. */
export const dataBitrates = [2_000_000, 5_000_000] as const;
export const bitrates = Object.keys(bitrateDigits).map(Number) as Bitrate[];
