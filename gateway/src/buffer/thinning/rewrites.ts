/** Stored values that were replaced and aren't durable yet: readers see them already. */
export class Rewrites {
  private readonly values = new Map<string, Map<number, Uint8Array>>();

  set(stream: string, sequence: number, value: Uint8Array): void {
    let ofStream = this.values.get(stream);
    if (!ofStream) this.values.set(stream, (ofStream = new Map()));
    ofStream.set(sequence, value);
  }

  get(stream: string, sequence: number): Uint8Array | undefined {
    return this.values.get(stream)?.get(sequence);
  }

  /** To be called when what there is now goes into a write; the result when that is durable. */
  written(): () => void {
    const written = [...this.values].map(([stream, values]) => [stream, [...values]] as const);
    return () => {
      for (const [stream, values] of written) {
        const ofStream = this.values.get(stream);
        for (const [sequence, value] of values) {
          if (ofStream?.get(sequence) === value) ofStream.delete(sequence);
        }
        if (ofStream?.size === 0) this.values.delete(stream);
      }
    };
  }
}
