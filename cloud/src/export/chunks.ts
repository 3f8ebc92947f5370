const chunkBytes = 256 * 1024;

/** Gathers short pieces into chunks that are worth a system call. */
export class ChunkBuffer {
  private chunk = Buffer.allocUnsafeSlow(chunkBytes);
  private length = 0;

  /** Copies `piece`; returns the chunks that are full now, which belong to the caller. */
  add(piece: Uint8Array): Uint8Array[] {
    if (this.length + piece.length <= chunkBytes) {
      this.chunk.set(piece, this.length);
      this.length += piece.length;
      return [];
    }
    const full = this.take();
    if (piece.length > chunkBytes) return [...full, Buffer.from(piece)];
    this.chunk.set(piece);
    this.length = piece.length;
    return full;
  }

  /** What is left, if anything. */
  take(): Uint8Array[] {
    if (this.length === 0) return [];
    let taken = this.chunk.subarray(0, this.length);
    // Whoever follows the log takes little at a time: for that no new chunk is worth its allocation.
    if (this.length < chunkBytes / 4) taken = Buffer.from(taken);
    else this.chunk = Buffer.allocUnsafeSlow(chunkBytes);
    this.length = 0;
    return [taken];
  }
}
