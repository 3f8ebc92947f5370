/**
 * CAN frames as columns: the form in which frames are captured, encoded, decoded and exported.
 *
 * One object is filled and cleared over and over; nothing is allocated per frame. Fields are public because the
 * hot loops (parser, codec, formatter) read and write the arrays directly.
 */

/** Bits of `id`, as in Linux's `canid_t` (include/uapi/linux/can.h). */
export const CAN_EFF_FLAG = 0x8000_0000; // 29-bit identifier
export const CAN_RTR_FLAG = 0x4000_0000; // remote transmission request: carries a DLC, no data
export const CAN_ERR_FLAG = 0x2000_0000; // error message frame
export const CAN_EFF_MASK = 0x1fff_ffff;
export const CAN_SFF_MASK = 0x7ff;

/** Bits of `flags`; the low three are the flags nibble of `candump -L` (`123##5…`). */
export const FRAME_BRS = 0x01; // CAN FD bit rate switch
export const FRAME_ESI = 0x02; // CAN FD error state indicator
export const FRAME_FDF = 0x04; // the nibble's own FDF bit, which only newer kernels set
export const FRAME_FD = 0x08; // this is a CAN FD frame, whatever the nibble says
export const FRAME_RX = 0x10; // the recording says "received" (`candump -x`)
export const FRAME_TX = 0x20; // the recording says "sent by the recording host"

/** Event times of one batch stay within ±2^31 µs (35 min) of `baseTimeUs`. */
export const TIME_OFFSET_LIMIT_US = 0x7fff_ffff;
export const FRAME_DATA_BYTES_MAX = 64;
export const BUSES_MAX = 255;

/** How a `candump -L` recording writes its lines; one per batch, packed into 7 bits. */
export interface CandumpStyle {
  /** Digits behind the decimal point of the time, 0 to 6. */
  decimals: number;
  lowerCase: boolean;
  /** Lines end in CR LF. */
  crlf: boolean;
  /** Seconds are padded with zeros to 10 digits, as newer can-utils does. */
  padded: boolean;
  /** Fractions end in no zero, but for one that is the only digit. */
  trimmed: boolean;
}

export const defaultCandumpStyle: Readonly<CandumpStyle> = {
  decimals: 6,
  lowerCase: false,
  crlf: false,
  padded: true,
  trimmed: false,
};

/** Data length of a CAN FD frame by DLC (ISO 11898-1:2015, table 5). */
export const fdLengthByDlc = Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64);

/** Smallest DLC whose CAN FD length holds `length` bytes, indexed by length 0…64. */
export const fdDlcByLength = Uint8Array.from({ length: 65 }, (_, length) =>
  fdLengthByDlc.findIndex((l) => l >= length),
);

/** The DLC that a frame of these flags and this length has unless the recording says otherwise. */
export function canonicalDlc(flags: number, length: number): number {
  return flags & FRAME_FD ? fdDlcByLength[length] : length;
}

export class CanFrames {
  /** Frames held. */
  count = 0;
  /** µs since the Unix epoch; time of frame i is `baseTimeUs + timeOffsetUs[i]`. */
  baseTimeUs = 0;
  timeOffsetUs: Int32Array;
  /** `canid_t`: identifier and EFF, RTR, ERR bits. */
  id: Uint32Array;
  /** FRAME_… bits. */
  flags: Uint8Array;
  /** Raw DLC: for classic frames above 8 where the sender used the reserved codes; for RTR the requested length. */
  dlc: Uint8Array;
  /** Index into `buses`. */
  bus: Uint8Array;
  /** Interface names (`can0`). */
  buses: string[] = [];
  /** Data of frame i is `data[dataStart[i] … dataStart[i + 1])`; `dataStart[count]` is the end. */
  dataStart: Uint32Array;
  data: Uint8Array;
  style: CandumpStyle = { ...defaultCandumpStyle };
  /**
   * Original text, line end included, of frames that `formatCandump` would not write byte for byte from the columns
   * and `style`; by frame index, ascending. Rare: it makes "what came in comes out" true for any input.
   */
  verbatim: Map<number, Uint8Array> = new Map();

  constructor(capacityFrames = 1024, capacityDataBytes = capacityFrames * 8) {
    this.timeOffsetUs = new Int32Array(capacityFrames);
    this.id = new Uint32Array(capacityFrames);
    this.flags = new Uint8Array(capacityFrames);
    this.dlc = new Uint8Array(capacityFrames);
    this.bus = new Uint8Array(capacityFrames);
    this.dataStart = new Uint32Array(capacityFrames + 1);
    this.data = new Uint8Array(capacityDataBytes);
  }

  /** Data bytes held. */
  get dataBytes(): number {
    return this.dataStart[this.count];
  }

  timeUs(index: number): number {
    return this.baseTimeUs + this.timeOffsetUs[index];
  }

  clear(): void {
    this.count = 0;
    this.baseTimeUs = 0;
    this.buses = [];
    this.dataStart[0] = 0;
    this.style = { ...defaultCandumpStyle };
    if (this.verbatim.size > 0) this.verbatim = new Map();
  }

  /** Makes room for `frames` and `dataBytes` in all (not in addition); keeps what is held. */
  reserve(frames: number, dataBytes: number): void {
    if (frames > this.id.length) {
      const size = Math.max(frames, 2 * this.id.length);
      this.timeOffsetUs = grown(this.timeOffsetUs, new Int32Array(size));
      this.id = grown(this.id, new Uint32Array(size));
      this.flags = grown(this.flags, new Uint8Array(size));
      this.dlc = grown(this.dlc, new Uint8Array(size));
      this.bus = grown(this.bus, new Uint8Array(size));
      this.dataStart = grown(this.dataStart, new Uint32Array(size + 1));
    }
    if (dataBytes > this.data.length) {
      this.data = grown(this.data, new Uint8Array(Math.max(dataBytes, 2 * this.data.length)));
    }
  }

  /** Index of the interface, added where it is new; -1 where `BUSES_MAX` are named already. */
  busIndex(name: string): number {
    const at = this.buses.indexOf(name);
    if (at >= 0) return at;
    return this.buses.length < BUSES_MAX ? this.buses.push(name) - 1 : -1;
  }

  /** False where the time is too far from `baseTimeUs` for this batch: the caller seals it and starts another. */
  takes(timeUs: number): boolean {
    return this.count === 0 || Math.abs(timeUs - this.baseTimeUs) <= TIME_OFFSET_LIMIT_US;
  }

  /** Appends a frame; the caller has checked `takes(timeUs)`. The first frame sets `baseTimeUs`. */
  append(
    timeUs: number,
    id: number,
    flags: number,
    dlc: number,
    bus: number,
    bytes: Uint8Array,
    start: number,
    length: number,
  ): void {
    const at = this.count;
    const dataStart = this.dataStart[at];
    if (at + 1 > this.id.length || dataStart + length > this.data.length) {
      this.reserve(at + 1, dataStart + length);
    }
    if (at === 0) this.baseTimeUs = timeUs;
    this.timeOffsetUs[at] = timeUs - this.baseTimeUs;
    this.id[at] = id;
    this.flags[at] = flags;
    this.dlc[at] = dlc;
    this.bus[at] = bus;
    const data = this.data;
    for (let i = 0; i < length; i++) data[dataStart + i] = bytes[start + i];
    this.dataStart[at + 1] = dataStart + length;
    this.count = at + 1;
  }
}

function grown<T extends Int32Array | Uint32Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
