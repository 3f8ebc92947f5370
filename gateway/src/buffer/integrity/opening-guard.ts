import { existsSync } from 'node:fs';
import { link, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { OrderedStore } from '@fleetlog/shared/store';
import { keys } from '../keys.js';
import type { StreamState } from '../stream-state.js';
import { dataFiles, valuesOf } from './files.js';
import { batchOfKey, epochOfValue } from './wal-put-back.js';

/**
 * A manifest that lost its end opens without a word as what it was at an earlier time, and every file that it doesn't
 * name is deleted. So each data file gets a second name before the database is opened; afterwards those that were
 * deleted are looked into, and the names go again. Without files to lose, that is a system call or two for each.
 */
export class OpeningGuard {
  private constructor(
    private readonly database: string,
    private readonly folder: string,
  ) {}

  /** Names that a guard left which the process didn't survive are kept: they may be the last ones. */
  static async before(database: string): Promise<OpeningGuard> {
    const guard = new OpeningGuard(database, join(dirname(database), `${basename(database)}.opening`));
    const files = (await dataFiles(database)).filter(({ isWal }) => !isWal);
    if (files.length > 0) await mkdir(guard.folder, { recursive: true });
    for (const { name, path } of files) await link(path, join(guard.folder, name)).catch(ignoreExisting);
    return guard;
  }

  /** True where files were deleted that hold batches which are wanted, and which the database doesn't have. */
  async lostAny(store: OrderedStore, states: ReadonlyMap<string, StreamState>): Promise<boolean> {
    const hasLife = (await store.get(keys.life())) !== undefined;
    for (const file of await this.deleted()) {
      for await (const found of valuesOf({ ...file, isWal: false }, { isDamaged: false })) {
        if (!hasLife && epochOfValue(found) !== undefined) return true;
        const batch = batchOfKey(found.key);
        if (!batch) continue;
        const state = states.get(batch.stream);
        if (state?.done.has(batch.sequence) || state?.gaps.at(batch.sequence)) continue;
        const isThere = await store.get(found.key).catch(() => found.value); // a damaged one is another matter
        if (isThere === undefined) return true;
      }
    }
    return false;
  }

  /** Gives deleted files back to the database's folder, to be rescued from there. */
  async restore(): Promise<void> {
    for (const { name, path } of await this.deleted()) {
      const to = join(this.database, name);
      await rename(path, existsSync(to) ? join(this.database, `9${name}`) : to);
    }
    await this.release();
  }

  async release(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  private async deleted(): Promise<{ name: string; path: string }[]> {
    const left = new Set(await readdir(this.database).catch(() => []));
    return (await dataFiles(this.folder)).filter(({ name }) => !left.has(name));
  }
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  // A file system without links, or none left: it goes without the guard.
  if (
    !['EEXIST', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSPC', 'EIO', 'ENOENT'].includes(
      error.code ?? '',
    )
  )
    throw error;
}
