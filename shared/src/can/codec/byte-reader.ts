import { malformedPayload } from '../../batch/payload.js';

/** Checked cursor over bytes: whatever runs past the end is FLEETLOG_BATCH_MALFORMED. */
export class ByteReader {
  private at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  byte(): number {
    if (this.at >= this.bytes.length) throw tooShort();
    return this.bytes[this.at++];
  }

  /** See `ByteWriter.varint`; refuses what isn't a safe integer. */
  varint(): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 49; scale *= 0x80) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80 && value <= Number.MAX_SAFE_INTEGER) return value;
      if (byte < 0x80) break;
    }
    throw malformedPayload('a number is too large');
  }

  /** A view of the next bytes. */
  borrow(count: number): Uint8Array {
    const start = this.at;
    if (count > this.bytes.length - start) throw tooShort();
    this.at = start + count;
    return this.bytes.subarray(start, this.at);
  }

  /** A view of what is left. */
  rest(): Uint8Array {
    return this.borrow(this.bytes.length - this.at);
  }

  get isAtEnd(): boolean {
    return this.at === this.bytes.length;
  }
}

const tooShort = (): Error => malformedPayload('it ends too early');
