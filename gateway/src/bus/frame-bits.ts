import {
  CAN_EFF_FLAG,
  CAN_EFF_MASK,
  CAN_RTR_FLAG,
  CAN_SFF_MASK,
  FRAME_BRS,
  FRAME_FD,
} from '@fleetlog/shared/can';

/*
 * Bits that a frame takes on the wire (ISO 11898-1:2015, 10.4), the three bits to the next one included.
 *
 *   classic, 11-bit id   SOF 1, id 11, RTR 1, IDE 1, r0 1, DLC 4, data, CRC 15          stuffed
 *   classic, 29-bit id   SOF 1, id 11, SRR 1, IDE 1, id 18, RTR 1, r1 r0 2, DLC 4, data, CRC 15
 *   both                 CRC delimiter 1, ACK 2, EOF 7, intermission 3
 *   CAN FD               SOF … BRS: 17 or 36, ESI 1, DLC 4, data                        stuffed
 *                        stuff count 4, CRC 17 or 21, a fixed stuff bit before each four of these
 */
const CLASSIC_BITS = 34;
const CLASSIC_LONG_BITS = 54;
const TAIL_BITS = 13;
const FD_HEAD_BITS = 17;
const FD_LONG_HEAD_BITS = 36;
const FD_CONTROL_BITS = 5;
const FD_SHORT_CHECK_BITS = 4 + 17 + 6;
const FD_LONG_CHECK_BITS = 4 + 21 + 7;
const FD_SHORT_DATA_BYTES_MAX = 16;
const CRC15_POLYNOMIAL = 0x4599;

/** Bits at the bus's own rate, without stuffing. */
export function nominalBits(id: number, flags: number, length: number): number {
  const isLong = (id & CAN_EFF_FLAG) !== 0;
  if ((flags & FRAME_FD) === 0) {
    return (isLong ? CLASSIC_LONG_BITS : CLASSIC_BITS) + 8 * (id & CAN_RTR_FLAG ? 0 : length) + TAIL_BITS;
  }
  const head = isLong ? FD_LONG_HEAD_BITS : FD_HEAD_BITS;
  return head + TAIL_BITS + (flags & FRAME_BRS ? 0 : fdDataBits(length));
}

/** Bits at the rate for data, without stuffing: of CAN FD frames that switch to it. */
export function fastBits(flags: number, length: number): number {
  return (flags & (FRAME_FD | FRAME_BRS)) === (FRAME_FD | FRAME_BRS) ? fdDataBits(length) : 0;
}

const fdDataBits = (length: number): number =>
  FD_CONTROL_BITS +
  8 * length +
  (length > FD_SHORT_DATA_BYTES_MAX ? FD_LONG_CHECK_BITS : FD_SHORT_CHECK_BITS);

/** Counts the stuff bits of a frame, one bit after the other: a fifth equal one is followed by another. */
export class StuffBits {
  /** Of the part at the bus's own rate. */
  nominal = 0;
  /** Of the part at the rate for data. */
  fast = 0;
  private last = -1;
  private run = 0;
  private crc = 0;
  private count = 0;

  /** `data[start … start + length)` is what the frame holds; `dlc` its raw data length code. */
  measure(id: number, flags: number, dlc: number, data: Uint8Array, start: number, length: number): void {
    this.last = -1;
    this.run = 0;
    this.crc = 0;
    this.count = 0;
    const isFd = (flags & FRAME_FD) !== 0;
    const remote = id & CAN_RTR_FLAG ? 1 : 0;
    this.put(0, 1);
    if (id & CAN_EFF_FLAG) {
      const bits = id & CAN_EFF_MASK;
      this.put(bits >>> 18, 11);
      this.put(3, 2);
      this.put(bits & 0x3_ffff, 18);
      if (!isFd) this.put(remote << 2, 3);
    } else {
      this.put(id & CAN_SFF_MASK, 11);
      if (!isFd) this.put(remote << 2, 3);
    }
    if (isFd) {
      // RRS, then IDE where it didn't come already, FDF, a reserved one, BRS
      this.put((id & CAN_EFF_FLAG ? 0b0100 : 0b00100) | (flags & FRAME_BRS), id & CAN_EFF_FLAG ? 4 : 5);
      const head = this.count;
      this.put(flags & 2 ? 1 : 0, 1);
      this.putData(dlc, data, start, length);
      this.nominal = flags & FRAME_BRS ? head : this.count;
      this.fast = this.count - this.nominal;
      return;
    }
    this.putData(dlc, data, start, remote ? 0 : length);
    this.put(this.crc, 15);
    this.nominal = this.count;
    this.fast = 0;
  }

  private putData(dlc: number, data: Uint8Array, start: number, length: number): void {
    this.put(dlc & 15, 4);
    for (let i = 0; i < length; i++) this.put(data[start + i], 8);
  }

  private put(value: number, bits: number): void {
    for (let b = bits - 1; b >= 0; b--) {
      const bit = (value >>> b) & 1;
      const crcNext = bit ^ (this.crc >>> 14);
      this.crc = (this.crc << 1) & 0x7fff;
      if (crcNext) this.crc ^= CRC15_POLYNOMIAL;
      this.run = bit === this.last ? this.run + 1 : 1;
      this.last = bit;
      if (this.run < 5) continue;
      this.count++;
      this.last = bit ^ 1;
      this.run = 1;
    }
  }
}
