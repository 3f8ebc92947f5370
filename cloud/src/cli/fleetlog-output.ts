import { once } from 'node:events';
import { open, rename, type FileHandle } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { FleetlogError, systemCode } from '@fleetlog/shared/errors';

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

/** A file that has its name only when it is whole; before it is FILE.part. Errors: FLEETLOG_USAGE, FLEETLOG_STORE_FULL. */
export class FileOutput implements Output {
  private constructor(
    private readonly path: string,
    private readonly file: FileHandle,
  ) {}

  static async create(path: string): Promise<FileOutput> {
    try {
      return new FileOutput(path, await open(partOf(path), 'w'));
    } catch (cause) {
      throw new FleetlogError(
        'FLEETLOG_USAGE',
        `${partOf(path)} can't be written (${systemCode(cause) ?? 'error'}); choose another --output.`,
        { cause },
      );
    }
  }

  async write(chunk: Uint8Array | string): Promise<void> {
    try {
      await this.file.writeFile(chunk);
    } catch (cause) {
      throw new FleetlogError(
        'FLEETLOG_STORE_FULL',
        `Writing ${partOf(this.path)} failed (${systemCode(cause) ?? 'error'}); it is incomplete.`,
        { cause },
      );
    }
  }

  async finish(head?: Uint8Array): Promise<void> {
    if (head) await this.file.write(head, 0, head.length, 0);
    await this.file.datasync();
    await this.file.close();
    await rename(partOf(this.path), this.path);
  }

  abandon(): Promise<void> {
    return this.file.close();
  }
}

export const partOf = (path: string): string => `${path}.part`;
