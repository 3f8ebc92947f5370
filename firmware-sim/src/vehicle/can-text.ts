import { CAN_EFF_FLAG, CAN_EFF_MASK, CAN_ERR_FLAG } from '@fleetlog/shared/can';
import { lineHead } from './candump-line.js';
import type { MessageSpec } from './messages.js';
import { signalIndex } from './signals.js';

/** CRC-8 SAE J1850: polynomial 0x1D. */
const crc8 = Uint8Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 0x80 ? ((byte << 1) ^ 0x1d) & 0xff : byte << 1;
  return byte;
});

/** Bits of a frame around its data, interframe space included (ISO 11898-1), without stuff bits. */
const FRAME_BITS = 47;
const FRAME_BITS_EXTENDED = 67;
const BIT_US = 2; // 500 kbit/s
const FD_DATA_BIT_US = 0.5; // 2 Mbit/s behind the bit rate switch

/** One message, ready to be rendered over and over. */
export class Message {
  readonly periodUs: number;
  readonly jitterUs: number;
  /** As lines of text have them. */
  readonly head: Uint8Array;
  readonly data: Uint8Array;
  private readonly constant: Uint8Array;
  private readonly fields: Float64Array;
  private readonly counterBit: number;
  private readonly checksumByte: number;
  private readonly crcStart: number;
  private readonly form: MessageSpec['form'];
  private readonly frameBits: number;
  private counter: number;

  constructor(spec: MessageSpec, interfaceName: string, counter: number) {
    const wide = spec.id >= CAN_ERR_FLAG; // error frames are written as 8 digits, too
    const separator = spec.form === 'fd' ? '##1' : '#';
    const remote = spec.form === 'remote' ? `R${spec.length > 0 ? spec.length : ''}` : '';
    const id = spec.id >= CAN_EFF_FLAG ? spec.id & CAN_EFF_MASK : spec.id;
    this.head = lineHead(interfaceName, id, wide ? 8 : 3, `${separator}${remote}`);
    this.form = spec.form;
    this.periodUs = spec.periodMs * 1000;
    this.jitterUs = spec.jitterUs;
    this.data = new Uint8Array(spec.form === 'remote' ? 0 : spec.length);
    this.constant = new Uint8Array(this.data.length);
    this.constant.set((spec.constant ?? []).slice(0, this.data.length));
    this.fields = Float64Array.from(
      spec.fields.flatMap(([signal, bit, bits, factor, offset, wrap]) => [
        signalIndex[signal],
        bit,
        bits,
        factor,
        offset,
        wrap ? 1 : 0,
      ]),
    );
    this.counterBit = spec.counterBit ?? -1;
    this.checksumByte = spec.checksumByte ?? -1;
    this.crcStart = crc8[spec.id & 0xff];
    this.frameBits = wide ? FRAME_BITS_EXTENDED : FRAME_BITS;
    this.counter = counter;
  }

  /** Fills the data from the signals; returns how long the frame occupies the bus, µs. */
  render(signals: Float64Array): number {
    const { data, fields } = this;
    data.set(this.constant);
    for (let f = 0; f < fields.length; f += 6) {
      const bits = fields[f + 2];
      const steps = 2 ** bits;
      let raw = Math.round((signals[fields[f]] - fields[f + 4]) / fields[f + 3]);
      if (fields[f + 5] === 1) raw %= steps;
      else if (raw < 0) raw = 0;
      else if (raw >= steps) raw = steps - 1;
      pack(data, fields[f + 1], bits, raw);
    }
    if (this.counterBit >= 0) {
      pack(data, this.counterBit, 4, this.counter);
      this.counter = (this.counter + 1) & 15;
    }
    if (this.checksumByte >= 0) {
      let crc = this.crcStart;
      for (let i = 0; i < data.length; i++) if (i !== this.checksumByte) crc = crc8[crc ^ data[i]];
      data[this.checksumByte] = crc;
    }
    if (this.form === 'fd') return this.frameBits * BIT_US + data.length * 9.5 * FD_DATA_BIT_US;
    return (this.frameBits + data.length * 8 + stuffBits(data)) * BIT_US;
  }
}

/** Writes `value` into `bits` bits from `bit` on, most significant first; bits beyond the data fall off. */
function pack(data: Uint8Array, bit: number, bits: number, value: number): void {
  let end = bit + bits;
  while (end > bit) {
    const low = -end & 7;
    const take = Math.min(end - bit, 8 - low);
    const mask = (1 << take) - 1;
    const byte = (end - 1) >>> 3;
    if (byte < data.length) data[byte] = (data[byte] & ~(mask << low)) | ((value & mask) << low);
    value = Math.floor(value / (1 << take));
    end -= take;
  }
}

/** About as many stuff bits as these data cause: runs of equal bits are what 0x00 and 0xFF bytes make. */
function stuffBits(data: Uint8Array): number {
  let count = 2;
  for (let i = 0; i < data.length; i++) if (data[i] === 0 || data[i] === 0xff) count += 2;
  return count;
}
