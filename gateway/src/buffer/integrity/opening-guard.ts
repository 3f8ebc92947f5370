import { existsSync, linkSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { readdir, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { systemCode } from '@fleetlog/shared/errors';
import type { OrderedStore } from '@fleetlog/shared/store';
import { keys } from '../keys.js';
import type { StreamState } from '../stream-state.js';
import { dataFiles, valuesOf } from './files.js';
import { batchOfKey, epochOfValue } from './wal-put-back.js';

/**
 * A manifest that lost its end opens without a word as what it was at an earlier time, and every file that it doesn't
 * name is deleted. So each data file gets a second name before the database is opened; afterwards those that were
 * deleted are looked into, and the names go again. That is two system calls for each file, made synchronously: a large
 * buffer has thousands, for which waiting costs ten times as much as the calls, and nothing else runs yet.
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
    if (statSync(guard.folder, { throwIfNoEntry: false })?.isFile()) rmSync(guard.folder); // a repair of the disk
    if (files.length > 0) mkdirSync(guard.folder, { recursive: true });
    for (const { name, path } of files) nameAgain(path, join(guard.folder, name));
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
    this.release();
  }

  release(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async deleted(): Promise<{ name: string; path: string }[]> {
    const left = new Set(await readdir(this.database).catch(() => []));
    return (await dataFiles(this.folder)).filter(({ name }) => !left.has(name));
  }
}

/** A file system without links, or none left: it goes without the guard. */
const ignored = ['EEXIST', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSPC', 'EIO', 'ENOENT'];

function nameAgain(path: string, name: string): void {
  try {
    linkSync(path, name);
  } catch (error) {
    if (!ignored.includes(systemCode(error) ?? '')) throw error;
  }
}
