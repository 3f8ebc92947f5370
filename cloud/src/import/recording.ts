import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { FleetlogError, systemCode } from '@fleetlog/shared/errors';

const chunkBytes = 256 * 1024;

/** A file that is being imported. Errors of all methods: FLEETLOG_USAGE with the path. */
export class Recording implements AsyncDisposable {
  private constructor(
    readonly path: string,
    readonly size: number,
    private readonly file: FileHandle,
  ) {}

  static async open(path: string): Promise<Recording> {
    try {
      const file = await open(path);
      const stat = await file.stat();
      if (stat.isFile()) return new Recording(path, stat.size, file);
      await file.close();
    } catch (cause) {
      throw unreadable(path, systemCode(cause) ?? 'error', cause);
    }
    throw unreadable(path, 'not a file');
  }

  /** From the beginning to the end; each chunk is the caller's. */
  async *chunks(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < this.size;) {
      const chunk = await this.read(at, chunkBytes);
      if (chunk.length === 0) return;
      yield chunk;
      at += chunk.length;
    }
  }

  /** Up to `length` bytes from `offset`; fewer at the end. */
  async read(offset: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(Math.max(0, Math.min(length, this.size - offset)));
    try {
      let done = 0;
      while (done < buffer.length) {
        const { bytesRead } = await this.file.read(buffer, done, buffer.length - done, offset + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return buffer.subarray(0, done);
    } catch (cause) {
      throw unreadable(this.path, systemCode(cause) ?? 'error', cause);
    }
  }

  /** 16 hex digits that are the same for the same content and salt. */
  async fingerprint(salt: string): Promise<string> {
    const hash = createHash('sha256').update(`${salt}\0`);
    for await (const chunk of this.chunks()) hash.update(chunk);
    return hash.digest('hex').slice(0, 16);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.file.close();
  }
}

const unreadable = (path: string, why: string, cause?: unknown): FleetlogError =>
  new FleetlogError('FLEETLOG_USAGE', `${path} can't be read (${why}); give the path of a recording.`, {
    cause,
  });
