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
    if (this.handle) {
      // At once: where the name is still that of the log that is open, what was written before is in it, or before it.
      const [current] = await Promise.all([this.currentLog(), this.handle.datasync()]);
      if (logNumber(basename(current)) === this.syncedUpTo) return;
    }
    for (let gone = ''; ;) {
      const name = basename(await this.currentLog());
      const number = logNumber(name);
      for (const other of await readdir(this.folder)) {
        const n = logNumber(other);
        if (n >= this.syncedUpTo && n >= 0 && n < number) await this.syncFile(other);
      }
      await this.close();
      this.handle = await this.openLog(name);
      if (!this.handle) {
        if (name === gone) throw new Error(`The write-ahead log ${name} was deleted.`);
        gone = name; // full and in a table since it was named; there is a newer one
        continue;
      }
      await this.handle.datasync();
      const folder = await open(this.folder, 'r');
      try {
        await folder.sync();
      } finally {
        await folder.close();
      }
      this.syncedUpTo = number;
      return;
    }
  }

  /** Undefined for a log that is gone: its content is in a synced table by then. */
  private async openLog(name: string): Promise<FileHandle | undefined> {
    try {
      return await open(join(this.folder, name), 'r');
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  private async syncFile(name: string): Promise<void> {
    const file = await this.openLog(name);
    if (!file) return;
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
