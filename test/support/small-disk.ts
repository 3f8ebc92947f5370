import { execFileSync } from 'node:child_process';
import { open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { tempFolder } from './temp-folder.js';

/** Why no file system of a size of its own can be mounted here; undefined where it can. */
export function noSmallDisk(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root to mount a small file system';
  try {
    execFileSync('unshare', ['--mount', 'true'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'this machine lets nobody mount';
  }
}

/** A file system of so many bytes, that really gets full. */
export class SmallDisk implements AsyncDisposable {
  private constructor(
    readonly path: string,
    private readonly folder: AsyncDisposable,
  ) {}

  static async mount(bytes: number): Promise<SmallDisk> {
    const folder = await tempFolder('disk');
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder.path]);
    return new SmallDisk(folder.path, folder);
  }

  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.path);
    return bavail * bsize;
  }

  /** Somebody else takes all space but `left`. */
  async fill(left = 0): Promise<void> {
    const file = await open(join(this.path, 'others'), 'a');
    try {
      for (let free = await this.freeBytes(); free > left; free = await this.freeBytes()) {
        const { bytesWritten } = await file.write(Buffer.alloc(Math.min(1024 * 1024, free - left), 1));
        if (bytesWritten === 0) return;
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      await file.close();
    }
  }

  /** And gives it back. */
  async clear(): Promise<void> {
    await rm(join(this.path, 'others'), { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    execFileSync('umount', ['--lazy', this.path]);
    await this.folder[Symbol.asyncDispose]();
  }
}
