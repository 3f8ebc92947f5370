const newline = 0x0a;

/**
 * Text as it came, that becomes lines when somebody takes them: to cut a window of thousands at once would keep whoever
 * is due meanwhile waiting for milliseconds.
 */
export class FetchedLines implements Iterable<string> {
  private readonly chunks: Buffer[];

  /** Chunks may begin and end within a line. */
  constructor(chunks: readonly Uint8Array[]) {
    this.chunks = chunks.map((chunk) => Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
  }

  get isEmpty(): boolean {
    return this.chunks.every(({ length }) => length === 0);
  }

  *[Symbol.iterator](): Iterator<string> {
    let begun: Buffer[] = [];
    for (const chunk of this.chunks) {
      let at = 0;
      for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, at)) {
        const line =
          begun.length === 0
            ? chunk.toString('utf8', at, end)
            : Buffer.concat([...begun, chunk.subarray(at, end)]).toString();
        begun = [];
        at = end + 1;
        if (line !== '') yield line;
      }
      if (at < chunk.length) begun.push(chunk.subarray(at));
    }
    if (begun.length > 0) yield Buffer.concat(begun).toString();
  }
}
