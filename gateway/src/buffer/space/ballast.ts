import { randomBytes } from 'node:crypto';
import { open, rm, stat } from 'node:fs/promises';
import type { Logger } from '@fleetlog/shared/log';

const blockBytes = 256 * 1024;

/**
 * A file that is only there to be deleted. On a full disk nothing can be given up: removing batches has to be written
 * too, and a database doesn't even open. What the ballast frees is enough for both.
 */
export class Ballast {
  constructor(
    private readonly path: string,
    readonly bytes: number,
    private readonly logger: Logger,
  ) {}

  /** True where there was one. */
  async release(): Promise<boolean> {
    const { size } = await stat(this.path).catch(() => ({ size: 0 }));
    if (size === 0) return false;
    await rm(this.path, { force: true });
    this.logger.warn(
      { bytes: size },
      'The disk is full: the ballast was deleted, so that the buffer can make room.',
    );
    return true;
  }

  /** Makes it, unless it is there; `freeBytes` of the disk must be enough for it and as much again. */
  async restore(freeBytes: number): Promise<void> {
    if (this.bytes === 0 || freeBytes < 2 * this.bytes) return;
    const { size } = await stat(this.path).catch(() => ({ size: 0 }));
    if (size >= this.bytes) return;
    try {
      const file = await open(this.path, 'w');
      try {
        // Random, since some file systems keep no zeros.
        for (let at = 0; at < this.bytes; at += blockBytes) {
          await file.write(randomBytes(Math.min(blockBytes, this.bytes - at)));
        }
        await file.datasync();
      } finally {
        await file.close();
      }
    } catch (error) {
      await rm(this.path, { force: true });
      this.logger.warn({ error: String(error) }, "The ballast can't be made now; trying again.");
    }
  }
}
