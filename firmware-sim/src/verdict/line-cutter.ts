const LF = 0x0a;

/** Cuts bytes that come in pieces into lines, line ends included. Each line is a copy of its own. */
export class LineCutter {
  private rest: Uint8Array = new Uint8Array(0);

  constructor(private readonly onLine: (line: Uint8Array) => void) {}

  take(chunk: Uint8Array): void {
    const text = Buffer.concat([this.rest, chunk]); // lines are kept: the chunk's memory may be used again
    let at = 0;
    for (let end = text.indexOf(LF); end >= 0; end = text.indexOf(LF, at)) {
      this.onLine(text.subarray(at, end + 1));
      at = end + 1;
    }
    this.rest = text.subarray(at);
  }

  /** What is left without a line end is a line, too. */
  finish(): void {
    if (this.rest.length > 0) this.onLine(this.rest);
    this.rest = new Uint8Array(0);
  }
}
