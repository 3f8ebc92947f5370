/** Bytes of the few facts that hold for a whole batch. */
export class ByteWriter {
  private bytes = new Uint8Array(256);
  private length = 0;

  /** Natural number up to 2^53 - 1 in groups of 7 bits, low group first (LEB128). */
  varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.byte((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.byte(rest);
  }

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  /** The number of bytes as varint, then the bytes. */
  block(block: Uint8Array): void {
    this.varint(block.length);
    this.copy(block);
  }

  copy(block: Uint8Array): void {
    this.reserve(block.length);
    this.bytes.set(block, this.length);
    this.length += block.length;
  }

  /** A view of what was written. */
  written(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  private reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(this.length + count, 2 * this.bytes.length));
    larger.set(this.written());
    this.bytes = larger;
  }
}
