const LF = 10;

/**
 * A sliding view of a byte stream that is cut into lines: chunks go in, whole lines are read out in place. Memory is
 * bounded by one chunk and one line of the longest length; a longer line is skipped without being held.
 */
export class LineWindow {
  /** The lines not yet taken are `bytes[at … linesEnd)`, each with its line feed; an unfinished one reaches to `end`. */
  bytes: Uint8Array;
  at = 0;
  linesEnd = 0;
  end = 0;
  /** True where a skipped line has ended right before `at`: to be reported, and set back, by who takes the lines. */
  skipped = false;
  /** Stream offset of the line skipped last. */
  skippedOffset = 0;

  /** Stream offset of `bytes[0]`. */
  private base: number;
  /** Stream offset of the line that is being skipped; -1 where none is. */
  private skipFrom = -1;

  /** `offset` is where in the stream the first chunk begins, at a line's start. */
  constructor(
    readonly lineBytesMax: number,
    private readonly chunkBytes: number,
    offset = 0,
    /** False where line feeds mean nothing: who takes the bytes decides where a record ends, and leaves little. */
    private readonly cutsLines = true,
  ) {
    this.bytes = new Uint8Array(chunkBytes + 4096);
    this.base = offset;
  }

  /** Stream offset of the next line to take. */
  get position(): number {
    return this.skipFrom >= 0 ? this.skipFrom : this.base + this.at;
  }

  /** True where the unfinished line is too long and isn't held. */
  get skipping(): boolean {
    return this.skipFrom >= 0;
  }

  /** True where a line has begun that has no line feed yet. */
  get unfinished(): boolean {
    return this.end > (this.cutsLines ? this.linesEnd : this.at) || this.skipFrom >= 0;
  }

  /** Where the next chunk goes. All whole lines must have been taken. */
  room(): Uint8Array {
    const rest = this.end - this.at;
    this.base += this.at;
    if (rest + this.chunkBytes > this.bytes.length) {
      const larger = new Uint8Array(Math.max(rest + this.chunkBytes, 2 * rest));
      larger.set(this.bytes.subarray(this.at, this.end));
      this.bytes = larger;
    } else if (this.at > 0) {
      this.bytes.copyWithin(0, this.at, this.end);
    }
    this.at = 0;
    this.linesEnd = 0;
    this.end = rest;
    return this.bytes.subarray(rest, rest + this.chunkBytes);
  }

  /** `count` bytes were put into `room()`. */
  filled(count: number): void {
    const from = this.end;
    this.end += count;
    if (!this.cutsLines) return;
    if (this.skipFrom >= 0) {
      const feed = this.bytes.subarray(0, this.end).indexOf(LF, from);
      if (feed < 0) return this.drop();
      this.at = feed + 1;
      this.linesEnd = this.at;
      this.endSkip();
    }
    const last = this.bytes.subarray(from, this.end).lastIndexOf(LF);
    if (last >= 0) this.linesEnd = from + last + 1;
    else if (this.end - this.at > this.lineBytesMax) {
      this.skipFrom = this.base + this.at;
      this.drop();
    }
  }

  /** At the end of the stream: the unfinished line has been taken, or skipped. */
  finish(): void {
    if (this.skipFrom >= 0) this.endSkip();
    this.at = this.end;
    this.linesEnd = this.end;
  }

  private endSkip(): void {
    this.skippedOffset = this.skipFrom;
    this.skipFrom = -1;
    this.skipped = true;
  }

  private drop(): void {
    this.base += this.end;
    this.at = 0;
    this.linesEnd = 0;
    this.end = 0;
  }
}
