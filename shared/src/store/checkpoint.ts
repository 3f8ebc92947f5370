import { createReadStream, createWriteStream } from 'node:fs';
import { link, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { systemCode } from '../errors/index.js';

/** A file that RocksDB goes on writing: only its beginning belongs to the moment. */
export interface Growing {
  name: string;
  bytes: number;
}

const whole = '.whole';
const isLinked = (name: string): boolean => /\.(sst|blob|log)$|^MANIFEST-/.test(name);
const isGrowing = (name: string): boolean => !/\.(sst|blob)$/.test(name);

/**
 * Links all files of a database into an empty folder on the same disk, while nothing is written to it: a link keeps
 * what compaction removes meanwhile. Tables and values come both before and behind the manifest that names them; one too
 * many does no harm. Costs no copy, so that writers wait for a moment only.
 */
export async function linkFiles(path: string, folder: string): Promise<Growing[]> {
  const linked = new Set<string>();
  await linkNew(path, folder, linked);
  const current = await readFile(join(path, 'CURRENT'), 'latin1');
  const manifest = current.trim();
  const growing = [{ name: manifest, bytes: (await stat(join(path, manifest))).size }];
  await linkNew(path, folder, linked);
  for (const name of linked) {
    if (!name.endsWith('.log')) continue;
    growing.push({ name, bytes: (await stat(join(folder, `${name}${whole}`))).size });
  }
  await writeFile(join(folder, 'CURRENT'), current);
  return growing;
}

async function linkNew(path: string, folder: string, linked: Set<string>): Promise<void> {
  for (const name of await readdir(path)) {
    if (linked.has(name) || !isLinked(name)) continue;
    try {
      await link(join(path, name), join(folder, isGrowing(name) ? `${name}${whole}` : name));
      linked.add(name);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error; // gone since it was listed: nothing names it
    }
  }
}

/** Puts the beginnings of growing files in the place of their links. */
export async function cutGrowing(folder: string, growing: readonly Growing[]): Promise<void> {
  for (const { name, bytes } of growing) {
    const to = join(folder, name);
    if (bytes === 0) await writeFile(to, '');
    else
      await pipeline(
        createReadStream(join(folder, `${name}${whole}`), { end: bytes - 1 }),
        createWriteStream(to),
      );
  }
  await clear(folder, (name) => name.endsWith(whole));
}

/** What opening a database read-only leaves behind in its folder. */
export const clearInfoLogs = (folder: string): Promise<void> =>
  clear(folder, (name) => /^LOG(\.old|$)|^LOCK$/.test(name));

async function clear(folder: string, isFor: (name: string) => boolean): Promise<void> {
  for (const name of await readdir(folder)) if (isFor(name)) await rm(join(folder, name));
}

export async function emptyFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
}
