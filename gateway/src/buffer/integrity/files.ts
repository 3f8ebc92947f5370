import { open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { limits } from '@fleetlog/shared/batch';
import { systemCode } from '@fleetlog/shared/errors';
import { isDiskError } from '@fleetlog/shared/store';
import { carve, readWal } from './carve.js';
import { sealedAt, sealMagic, type KeyValue } from './sealed-value.js';

/** Names in a folder; none where there is no such folder. Errors: those of the file system. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) throw error;
    return [];
  }
}

/** Files of a database that hold values, in the order in which they were begun. */
export async function dataFiles(folder: string): Promise<{ name: string; path: string; isWal: boolean }[]> {
  return (await namesIn(folder))
    .filter((name) => /^\d+\.(log|sst|blob)$/.test(name))
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
    .map((name) => ({ name, path: join(folder, name), isWal: name.endsWith('.log') }));
}

/** A log of several GiB is no log of ours; a write buffer's worth is what one holds. */
const walBytesMax = 1024 * 1024 * 1024;
const chunkBytes = 1024 * 1024;
/** Longest sealed value: a batch, and what is stored with it. */
const valueBytesMax = limits.batchBytesMax + 64 * 1024;
/** On a bad disk a read fails for all it asks for: then in pieces, so that one bad sector costs no more than that. */
const pieceBytes = 4096;

/** What was wrong with a file; written by `valuesOf` as it goes. */
export interface FileDamage {
  isDamaged: boolean;
  /** The disk's error for bytes that it didn't give; damaged, too. */
  diskError?: unknown;
}

/** Every sealed value in a file, as a view that is to be used before the next one is asked for. */
export async function* valuesOf(
  file: { path: string; isWal: boolean },
  damage: FileDamage,
): AsyncGenerator<KeyValue> {
  if (file.isWal && (await stat(file.path)).size <= walBytesMax) {
    const { data, damagedFrom } = readWal(await readBadly(file.path, damage));
    if (damagedFrom !== undefined) damage.isDamaged = true;
    yield* carve(data);
    return;
  }
  const handle = await open(file.path, 'r');
  try {
    const { size } = await handle.stat();
    let window = Buffer.allocUnsafe(2 * chunkBytes);
    let held = 0;
    for (let at = 0; at < size;) {
      const wanted = Math.min(chunkBytes, size - at);
      if (held + wanted > window.length) window = grown(window, held + valueBytesMax);
      await readPiecewise(handle, at, window.subarray(held, held + wanted), damage);
      at += wanted;
      const bytes = window.subarray(0, held + wanted);
      let done = 0;
      let next = bytes.indexOf(sealMagic);
      while (next >= 0) {
        const found = sealedAt(bytes, next);
        // What doesn't end in this chunk may end in the next; beyond the longest possible value it can't.
        if (!found && at < size && bytes.length - next < valueBytesMax) break;
        if (found) yield found;
        else damage.isDamaged = true;
        done = found ? found.end : next + 1;
        next = bytes.indexOf(sealMagic, done);
      }
      held = bytes.length - (next >= 0 ? next : Math.max(done, bytes.length - 3));
      window.copyWithin(0, bytes.length - held, bytes.length);
    }
    if (window.subarray(0, held).indexOf(sealMagic) >= 0) damage.isDamaged = true;
  } finally {
    await handle.close();
  }
}

function grown(window: Buffer, bytes: number): Buffer<ArrayBuffer> {
  const larger = Buffer.allocUnsafe(bytes);
  window.copy(larger);
  return larger;
}

/** A file as far as it reads: what doesn't is zero. */
export async function readBadly(path: string, damage: FileDamage): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch {
    // as pieces
  }
  try {
    await using handle = await open(path, 'r');
    const bytes = Buffer.alloc((await handle.stat()).size);
    await readPiecewise(handle, 0, bytes, damage);
    return bytes;
  } catch (error) {
    noteUnread(damage, error);
    return Buffer.alloc(0);
  }
}

/** What a file, or a part of it, didn't read for. */
export function noteUnread(damage: FileDamage, error: unknown): void {
  damage.isDamaged = true;
  if (isDiskError(error)) damage.diskError = error;
}

/** Fills `into`; what doesn't read becomes zero. */
async function readPiecewise(
  handle: Awaited<ReturnType<typeof open>>,
  position: number,
  into: Buffer,
  damage: FileDamage,
): Promise<void> {
  try {
    const { bytesRead } = await handle.read(into, 0, into.length, position);
    if (bytesRead === into.length) return;
  } catch {
    // as pieces, below
  }
  into.fill(0);
  for (let at = 0; at < into.length; at += pieceBytes) {
    const piece = Math.min(pieceBytes, into.length - at);
    await handle.read(into, at, piece, position + at).catch((error: unknown) => noteUnread(damage, error));
  }
}
