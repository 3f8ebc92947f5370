/** Plain bits, the low ones of each byte first. Reused from batch to batch. */
export class BitWriter {
  private bytes = new Uint8Array(8192);
  private length = 0;
  /** Bits that wait for their byte, and how many there are: fewer than 16 between two calls. */
  private waiting = 0;
  private used = 0;

  clear(): void {
    this.length = 0;
    this.waiting = 0;
    this.used = 0;
  }

  /** Makes room for `bits` more; whoever writes bits reserves them, a whole column's at once. */
  reserve(bits: number): void {
    const needed = this.length + (bits >> 3) + 8;
    if (needed <= this.bytes.length) return;
    const larger = new Uint8Array(2 * needed);
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }

  /** `count` bits, 0 to 16, of a value that has no more. */
  bits(value: number, count: number): void {
    const waiting = this.waiting | (value << this.used);
    const used = this.used + count;
    if (used < 16) {
      this.waiting = waiting;
      this.used = used;
      return;
    }
    this.bytes[this.length++] = waiting;
    this.bytes[this.length++] = waiting >>> 8;
    this.waiting = waiting >>> 16;
    this.used = used - 16;
  }

  /** `count` bits, 0 to 32. */
  long(value: number, count: number): void {
    if (count <= 16) {
      this.bits(value, count);
    } else {
      this.bits(value & 0xffff, 16);
      this.bits(value >>> 16, count - 16);
    }
  }

  /** A natural number below 2^32 in groups of 3 bits, the low one first, each behind a bit that says whether another follows. At most 44 bits. */
  number(value: number): void {
    let rest = value;
    while (rest >= 8) {
      this.bits(1 | ((rest & 7) << 1), 4);
      rest >>>= 3;
    }
    this.bits(rest << 1, 4);
  }

  /** A view of what was written, filled up with zeros to whole bytes. */
  finish(): Uint8Array {
    const bytes = (this.used + 7) >> 3;
    this.bits(0, 16 - this.used);
    return this.bytes.subarray(0, this.length - 2 + bytes);
  }
}
