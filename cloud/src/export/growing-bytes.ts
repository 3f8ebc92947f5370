const doubling = 2;

/** Little-endian fields, one behind the other, in a buffer that grows and is used again. */
export class GrowingBytes {
  length = 0;
  private buffer: Buffer;

  constructor(initialBytes = 256) {
    this.buffer = Buffer.allocUnsafeSlow(initialBytes);
  }

  /** What was written; a view that holds until the next call. */
  get written(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  clear(): void {
    this.length = 0;
  }

  u8(value: number): void {
    this.room(1);
    this.buffer[this.length++] = value;
  }

  u16(value: number): void {
    this.room(2);
    this.length = this.buffer.writeUInt16LE(value, this.length);
  }

  u32(value: number): void {
    this.room(4);
    this.length = this.buffer.writeUInt32LE(value, this.length);
  }

  /** 64 bits; `value` is a safe integer, not negative. */
  u64(value: number): void {
    this.u32(value % 2 ** 32);
    this.u32(Math.floor(value / 2 ** 32));
  }

  /** 64 bits of ns, more than a double holds, so in two halves; 0 for what is before 1970. */
  nanoseconds(timeUs: number): void {
    const us = Math.max(0, timeUs);
    const high = Math.floor(us / 2 ** 32);
    const low = (us - high * 2 ** 32) * 1000;
    this.u32(low % 2 ** 32);
    this.u32(high * 1000 + Math.floor(low / 2 ** 32));
  }

  double(value: number): void {
    this.room(8);
    this.length = this.buffer.writeDoubleLE(value, this.length);
  }

  bytes(bytes: Uint8Array): void {
    this.room(bytes.length);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
  }

  utf8(text: string): void {
    this.room(3 * text.length);
    this.length += this.buffer.write(text, this.length, 'utf8');
  }

  /** Writes over what is there. */
  setU32(at: number, value: number): void {
    this.buffer.writeUInt32LE(value, at);
  }

  /** Writes over what is there. */
  setU64(at: number, value: number): void {
    this.buffer.writeUInt32LE(value % 2 ** 32, at);
    this.buffer.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
  }

  private room(bytes: number): void {
    if (this.length + bytes <= this.buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(doubling * this.buffer.length, this.length + bytes));
    larger.set(this.written);
    this.buffer = larger;
  }
}
