import { open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { carve, readWal } from './carve.js';
import { sealedAt, sealMagic, type KeyValue } from './sealed-value.js';

/** Files of a database that hold values, in the order in which they were begun. */
export async function dataFiles(folder: string): Promise<{ name: string; path: string; isWal: boolean }[]> {
  const names = await readdir(folder).catch(() => []);
  return names
    .filter((name) => /^\d+\.(log|sst|blob)$/.test(name))
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
    .map((name) => ({ name, path: join(folder, name), isWal: name.endsWith('.log') }));
}

/** A log of several GiB is no log of ours; a write buffer's worth is what one holds. */
const walBytesMax = 1024 * 1024 * 1024;
const chunkBytes = 16 * 1024 * 1024;
/** On a bad disk a read fails for all it asks for: then in pieces, so that one bad sector costs no more than that. */
const pieceBytes = 4096;

/** What was wrong with a file; written by `valuesOf` as it goes. */
export interface FileDamage {
  isDamaged: boolean;
}

/** Every sealed value in a file. A chunk's values are views, to be used before the next one is asked for. */
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
    let rest = Buffer.alloc(0);
    for (let at = 0; at < size;) {
      const wanted = Math.min(chunkBytes, size - at);
      const chunk = await readPiecewise(handle, at, wanted, damage);
      at += wanted;
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let done = 0;
      let next = bytes.indexOf(sealMagic);
      while (next >= 0) {
        const found = sealedAt(bytes, next);
        // What doesn't end in this chunk may end in the next; beyond the longest possible value it can't.
        if (!found && at < size && bytes.length - next < chunkBytes / 2 + sealMagic.length) break;
        if (found) yield found;
        else damage.isDamaged = true;
        done = found ? found.end : next + 1;
        next = bytes.indexOf(sealMagic, done);
      }
      rest = Buffer.from(bytes.subarray(next >= 0 ? next : Math.max(done, bytes.length - 3)));
    }
    if (rest.indexOf(sealMagic) >= 0) damage.isDamaged = true;
  } finally {
    await handle.close();
  }
}

async function readBadly(path: string, damage: FileDamage): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch {
    const handle = await open(path, 'r');
    try {
      return await readPiecewise(handle, 0, (await handle.stat()).size, damage);
    } finally {
      await handle.close();
    }
  }
}

async function readPiecewise(
  handle: Awaited<ReturnType<typeof open>>,
  position: number,
  bytes: number,
  damage: FileDamage,
): Promise<Buffer> {
  const buffer = Buffer.alloc(bytes);
  try {
    const { bytesRead } = await handle.read(buffer, 0, bytes, position);
    if (bytesRead === bytes) return buffer;
  } catch {
    // as pieces, below
  }
  for (let at = 0; at < bytes; at += pieceBytes) {
    const piece = Math.min(pieceBytes, bytes - at);
    await handle.read(buffer, at, piece, position + at).catch(() => (damage.isDamaged = true));
  }
  return buffer;
}
