import { execFile } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, open, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { FleetlogError } from '@fleetlog/shared/errors';
import { loadLibc } from '../ports/libc.js';

const run = promisify(execFile);
const CARD_BYTES = 192 * 2 ** 20;
const FILL_BYTES = 2 ** 20;
/** fs/ext4/ext4.h: _IOR('X', 125, __u32), and: without writing what it still has. */
const EXT4_IOC_SHUTDOWN = 0x8004587d;
const NO_LOG_FLUSH = 2;

/** A memory card of a gateway's own, with ext4, that gets full, takes no writes any more, or fails. Needs root. */
export class Card implements AsyncDisposable {
  private constructor(
    /** Where it is mounted. */
    readonly path: string,
    private readonly device: string,
  ) {}

  /** Below `folder`. Errors: FLEETLOG_PLATFORM. */
  static async insert(folder: string): Promise<Card> {
    const image = join(folder, 'card.image');
    const path = join(folder, 'card');
    try {
      if (process.getuid?.() !== 0) throw new Error('this needs root');
      const file = await open(image, 'w');
      await file.truncate(CARD_BYTES);
      await file.close();
      await mkdir(path);
      await run('mkfs.ext4', ['-q', '-F', '-e', 'remount-ro', image]);
      const { stdout } = await run('losetup', ['-f', '--show', image]);
      const card = new Card(path, stdout.trim());
      try {
        await card.mount();
      } catch (error) {
        await run('losetup', ['-d', card.device]);
        throw error;
      }
      return card;
    } catch (cause) {
      throw new FleetlogError(
        'FLEETLOG_PLATFORM',
        `Faults of cards need a disk of their own, and it can't be mounted: ${String((cause as Error).message)}.`,
        { cause },
      );
    }
  }

  /** Somebody else takes all space. */
  async fill(): Promise<void> {
    const file = await open(this.ballast, 'w');
    try {
      const bytes = Buffer.alloc(FILL_BYTES, 1);
      for (let size = FILL_BYTES; size >= 4096;) {
        await file.write(bytes, 0, size).catch(() => (size /= 2)); // ENOSPC: whether less still fits
      }
    } finally {
      await file.close();
    }
  }

  async clear(): Promise<void> {
    await rm(this.ballast, { force: true });
  }

  /** Writes fail with EROFS from now on, as ext4 has it when it finds an error. */
  async becomeReadOnly(): Promise<void> {
    await writeFile(`/sys/fs/ext4/${basename(this.device)}/trigger_fs_error`, 'simulated\n');
  }

  /** Everything fails with EIO from now on. */
  fail(): void {
    const ioctl = loadLibc('Cards').call<(fd: number, request: number, flags: Buffer) => number>(
      'int ioctl(int, unsigned long, const uint8_t *)',
    );
    const fd = openSync(this.path, 'r');
    ioctl(fd, EXT4_IOC_SHUTDOWN, Buffer.of(NO_LOG_FLUSH, 0, 0, 0));
    closeSync(fd);
  }

  /** Taken out, checked and put back, while nobody uses it. */
  async repair(): Promise<void> {
    await run('umount', [this.path]);
    await run('e2fsck', ['-fy', this.device]).catch(() => undefined); // status 1: it has mended something
    await this.mount();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run('umount', ['-l', this.path]).catch(() => undefined); // it may be out already
    await run('losetup', ['-d', this.device]);
  }

  private get ballast(): string {
    return join(this.path, 'of-somebody-else');
  }

  private async mount(): Promise<void> {
    await run('mount', [this.device, this.path]);
  }
}
