/**
 * How many bits a classic CAN data frame occupies on the wire (ISO 11898-1): start, arbitration, control, data and
 * CRC with their stuff bits, then CRC delimiter, acknowledgement, end of frame and the interframe space.
 */
const TAIL_BITS = 1 + 2 + 7 + 3;
const CRC_POLYNOMIAL = 0x4599;
const CRC_BITS = 15;

/** Of each byte: what it does to a CRC whose other bits are 0. */
const crcOfByte = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << (CRC_BITS - 8);
  for (let i = 0; i < 8; i++)
    crc = crc & 0x4000 ? ((crc << 1) ^ CRC_POLYNOMIAL) & 0x7fff : (crc << 1) & 0x7fff;
  return crc;
});

/** By last bit and how often it came (`2 * run + last`), and byte: the same after the byte, and above it the bits put. */
const stuffOfByte = Uint8Array.from({ length: 10 * 256 }, (_, at) => {
  let [last, run, bits] = [(at >> 8) & 1, at >> 9, 0];
  for (let i = 7; i >= 0; i--) {
    const bit = (at >> i) & 1;
    bits++;
    run = bit === last ? run + 1 : 1;
    last = bit;
    if (run < 5) continue;
    bits++;
    last = 1 - bit;
    run = 1;
  }
  return (bits << 4) | (2 * run + last);
});

class BitCounter {
  bits = 0;
  crc = 0;
  private last = -1;
  private run = 0;

  /** Eight bits at once, behind at least one; the same as `putNumber(byte, 8)`. */
  putByte(byte: number, inCrc: boolean): void {
    if (inCrc)
      this.crc = ((this.crc << 8) & 0x7fff) ^ crcOfByte[((this.crc >>> (CRC_BITS - 8)) ^ byte) & 0xff];
    const after = stuffOfByte[((2 * this.run + this.last) << 8) | byte];
    this.bits += after >> 4;
    this.last = after & 1;
    this.run = (after >> 1) & 7;
  }

  put(bit: number, inCrc: boolean): void {
    if (inCrc) {
      const top = ((this.crc >>> (CRC_BITS - 1)) & 1) ^ bit;
      this.crc = (this.crc << 1) & 0x7fff;
      if (top) this.crc ^= CRC_POLYNOMIAL;
    }
    this.bits++;
    this.run = bit === this.last ? this.run + 1 : 1;
    this.last = bit;
    if (this.run < 5) return;
    // A stuff bit of the other value, which counts for the next run.
    this.bits++;
    this.last = 1 - bit;
    this.run = 1;
  }

  putNumber(value: number, width: number, inCrc = true): void {
    for (let i = width - 1; i >= 0; i--) this.put((value >>> i) & 1, inCrc);
  }
}

/** Bits of a data frame, stuff bits and interframe space included. */
export function frameBits(id: number, extended: boolean, data: Uint8Array): number {
  const counter = new BitCounter();
  counter.put(0, true); // start of frame
  if (extended) {
    counter.putNumber(id >>> 18, 11);
    counter.putNumber(0b11, 2); // SRR, IDE
    counter.putNumber(id & 0x3_ffff, 18);
    counter.putNumber(0b000, 3); // RTR, r1, r0
  } else {
    counter.putNumber(id, 11);
    counter.putNumber(0b000, 3); // RTR, IDE, r0
  }
  counter.putNumber(data.length, 4);
  for (let i = 0; i < data.length; i++) counter.putByte(data[i], true);
  const { crc } = counter;
  counter.putByte(crc >>> (CRC_BITS - 8), false);
  counter.putNumber(crc, CRC_BITS - 8, false);
  return counter.bits + TAIL_BITS;
}
