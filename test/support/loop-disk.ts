import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { tempFolder } from './temp-folder.js';

const run = promisify(execFile);
const sectorBytes = 512;

/** A disk of its own with ext4, that counts what is written to it: data, metadata and the file system's journal. */
export class LoopDisk implements AsyncDisposable {
  private constructor(
    /** Where it is mounted. */
    readonly path: string,
    private readonly device: string,
    private readonly folder: AsyncDisposable,
  ) {}

  /** Why there can't be one here; undefined where there can. */
  static async whyNot(): Promise<string | undefined> {
    if (process.getuid?.() !== 0) return 'needs root to mount a disk of its own';
    try {
      await using disk = await LoopDisk.mount(64 * 2 ** 20);
      return disk.writtenBytes() >= 0 ? undefined : 'the kernel counts nothing';
    } catch (error) {
      return `this machine can't mount a disk of its own: ${String(error)}`;
    }
  }

  /** `features`: of ext4, as `mkfs.ext4 -O` takes them. */
  static async mount(bytes: number, features: string[] = []): Promise<LoopDisk> {
    const folder = await tempFolder('loop');
    const image = join(folder.path, 'image');
    await using file = await open(image, 'w');
    await file.truncate(bytes);
    const all = ['^metadata_csum_seed', ...features].join(',');
    // Without lazy initialization, whose writes would be counted as ours.
    const settings = ['-q', '-F', '-b', '4096', '-O', all, '-E', 'lazy_itable_init=0,lazy_journal_init=0'];
    await run('mkfs.ext4', [...settings, image]);
    const { stdout } = await run('losetup', ['-f', '--show', image]);
    const device = stdout.trim();
    const path = join(folder.path, 'mounted');
    await mkdir(path);
    try {
      await run('mount', [device, path]);
    } catch (error) {
      await run('losetup', ['-d', device]);
      await folder[Symbol.asyncDispose]();
      throw error;
    }
    return new LoopDisk(path, device, folder);
  }

  /** Bytes that the device was told to write since it was made (Documentation/block/stat.rst: field 7, sectors). */
  writtenBytes(): number {
    const fields = readFileSync(`/sys/block/${basename(this.device)}/stat`, 'utf8')
      .trim()
      .split(/\s+/);
    return Number(fields[6]) * sectorBytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run('umount', [this.path]);
    await run('losetup', ['-d', this.device]);
    await this.folder[Symbol.asyncDispose]();
  }
}
