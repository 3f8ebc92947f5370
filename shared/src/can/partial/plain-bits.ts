import { malformedPayload } from '../../batch/payload.js';

/**
 * Reads what a `BitWriter` wrote, as `BitReader` does, and passes over bits without reading them. Whatever runs past the
 * end is FLEETLOG_BATCH_MALFORMED.
 *
 * Its fields are for loops that read on by themselves: the bits at place `at` are
 * `(words[at >>> 5] >>> at % 32 | words[(at >>> 5) + 1] << 1 << 31 - at % 32) & mask`.
 */
export class PlainBits {
  /** A copy, with room for a word behind its end. */
  words = new Int32Array(2048);
  at = 0;
  end = 0;

  open(bytes: Uint8Array): void {
    const needed = (bytes.length >> 2) + 2;
    if (this.words.length < needed) this.words = new Int32Array(2 * needed);
    new Uint8Array(this.words.buffer).set(bytes); // little-endian, as all machines are that Fleetlog runs on
    this.at = 0;
    this.end = 8 * bytes.length;
  }

  /** `count` bits, 0 to 31. */
  bits(count: number): number {
    const { at, words } = this;
    const next = at + count;
    if (next > this.end) throw tooShort();
    this.at = next;
    const low = words[at >>> 5] >>> at;
    return (low | ((words[(at >>> 5) + 1] << 1) << ~at)) & ((1 << count) - 1);
  }

  /** 32 bits as a number from 0 on. */
  word(): number {
    return (this.bits(16) | (this.bits(16) << 16)) >>> 0;
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

  skip(count: number): void {
    this.at += count;
    if (this.at > this.end) throw tooShort();
  }
}

const tooShort = (): Error => malformedPayload('it ends too early');
