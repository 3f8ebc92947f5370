import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Files of a database whose names end so, in the order of their numbers. */
export async function filesOf(folder: string, ending: RegExp): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => ending.test(name));
  return names
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
    .map((name) => join(folder, name));
}

/** Turns one bit over, `share` of the way through the file. */
export async function flipBit(path: string, share: number): Promise<void> {
  const bytes = await readFile(path);
  const at = Math.min(bytes.length - 1, Math.floor(bytes.length * share));
  bytes[at] ^= 0x10;
  await writeFile(path, bytes);
}

/** Leaves the first `share` of the file. */
export async function cutFile(path: string, share: number): Promise<void> {
  const { length } = await readFile(path);
  await truncate(path, Math.floor(length * share));
}

export const removeFile = (path: string): Promise<void> => rm(path);
