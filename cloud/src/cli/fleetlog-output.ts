import { once } from 'node:events';
import type { Writable } from 'node:stream';

/** Where a command's output goes. */
export interface Output {
  /** Resolves when there is room for more. */
  write(chunk: Uint8Array | string): Promise<void>;
  /** Everything was written and is complete. `head` replaces the first bytes, where the output can go back. */
  finish(head?: Uint8Array): Promise<void>;
  /** What was written isn't complete. */
  abandon(): Promise<void>;
}

/** Standard output, at the pace of whoever reads it. Errors: EPIPE where nobody does any more. */
export class StreamOutput implements Output {
  private failure: Error | undefined;

  constructor(private readonly stream: Writable) {
    stream.on('error', (error) => (this.failure ??= error));
  }

  async write(chunk: Uint8Array | string): Promise<void> {
    if (this.failure) throw this.failure;
    if (!this.stream.write(chunk)) await once(this.stream, 'drain');
  }

  /** Resolves when the last byte is with the reader. */
  async finish(): Promise<void> {
    await new Promise<void>((resolve) => this.stream.write('', () => resolve()));
    if (this.failure) throw this.failure;
  }

  async abandon(): Promise<void> {}
}
