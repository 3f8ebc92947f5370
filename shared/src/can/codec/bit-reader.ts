import { malformedPayload } from '../../batch/payload.js';

/** Reads what a `BitWriter` wrote; whatever runs past the end is FLEETLOG_BATCH_MALFORMED. */
export class BitReader {
  /** A copy with room behind it, so that a word can be read at each place. */
  private view = new DataView(new ArrayBuffer(8192));
  private at = 0;
  private end = 0;

  open(bytes: Uint8Array): void {
    if (this.view.byteLength < bytes.length + 4)
      this.view = new DataView(new ArrayBuffer(2 * bytes.length + 4));
    new Uint8Array(this.view.buffer).set(bytes);
    this.at = 0;
    this.end = 8 * bytes.length;
  }

  /** `count` bits, 0 to 16. */
  bits(count: number): number {
    const { at } = this;
    const next = at + count;
    if (next > this.end) throw tooShort();
    this.at = next;
    return (this.view.getUint32(at >>> 3, true) >>> (at & 7)) & ((1 << count) - 1);
  }

  /** Adds to each number as many bits (at most 16) as `counts` says for its symbol. */
  addTo(numbers: Int32Array, symbols: Uint8Array, counts: Uint8Array, length: number): void {
    const { view, end } = this;
    let { at } = this;
    for (let i = 0; i < length; i++) {
      const count = counts[symbols[i]];
      const value = (view.getUint32(at >>> 3, true) >>> (at & 7)) & ((1 << count) - 1);
      at += count;
      if (at > end) throw tooShort();
      numbers[i] += value;
    }
    this.at = at;
  }

  /** `count` bits, 0 to 32. */
  long(count: number): number {
    if (count <= 16) return this.bits(count);
    const low = this.bits(16);
    return (low | (this.bits(count - 16) << 16)) >>> 0;
  }

  /** See `BitWriter.number`. */
  number(): number {
    let value = 0;
    for (let shift = 0; shift <= 30; shift += 3) {
      const group = this.bits(4);
      value |= (group >> 1) << shift;
      if ((group & 1) === 0) {
        if (shift === 30 && group >> 1 > 3) break;
        return value >>> 0;
      }
    }
    throw malformedPayload('a number is too large');
  }

  /** A number that must not be above `max`. */
  numberUpTo(max: number): number {
    const value = this.number();
    if (value > max) throw malformedPayload('a number is too large');
    return value;
  }

  /** Throws unless what was written has been read, and zeros fill its last byte. */
  close(): void {
    const left = this.end - this.at;
    if (left > 7 || this.bits(left) !== 0) throw malformedPayload('bits follow its content');
  }
}

const tooShort = (): Error => malformedPayload('it ends too early');
