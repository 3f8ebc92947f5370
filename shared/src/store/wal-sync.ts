import { open, readdir, type FileHandle } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { systemCode } from '../errors/index.js';

/**
 * Syncs RocksDB's write-ahead log from outside, since the binding has no sync flag on writes.
 *
 * A log can roll over between two barriers, more than once; the folder then holds several that aren't synced.
 * So whenever the current log's name changed, every log from the last synced one on is synced, and the folder.
 */
export class WalSync {
  private handle: FileHandle | undefined;
  private syncedUpTo = -1;

  constructor(
    private readonly folder: string,
    private readonly currentLog: () => Promise<string>,
  ) {}

  async sync(): Promise<void> {
    const name = basename(await this.currentLog());
    const number = logNumber(name);
    if (this.handle && number === this.syncedUpTo) return this.handle.datasync();
    for (const other of await readdir(this.folder)) {
      const n = logNumber(other);
      if (n >= this.syncedUpTo && n >= 0 && n < number) await this.syncFile(other);
    }
    await this.close();
    this.handle = await open(join(this.folder, name), 'r');
    await this.handle.datasync();
    const folder = await open(this.folder, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
    this.syncedUpTo = number;
  }

  private async syncFile(name: string): Promise<void> {
    let file: FileHandle;
    try {
      file = await open(join(this.folder, name), 'r');
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return; // its content is in a synced table by now
      throw error;
    }
    try {
      await file.datasync();
    } finally {
      await file.close();
    }
  }

  async close(): Promise<void> {
    const handle = this.handle;
    this.handle = undefined;
    await handle?.close();
  }
}

/** `000004.log` → 4; -1 for any other file. */
function logNumber(name: string): number {
  return /^\d+\.log$/.test(name) ? Number.parseInt(name, 10) : -1;
}
