import { open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FleetlogError, systemCode } from '@fleetlog/shared/errors';

/** Writes a file whole or not at all, durably: a new file takes the place of the old one. */
export async function replaceFile(path: string, content: Uint8Array | string): Promise<void> {
  const part = `${path}.part`;
  try {
    const file = await open(part, 'w', 0o640);
    try {
      await file.writeFile(content);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(part, path);
    const folder = await open(dirname(path), 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch (cause) {
    const full = systemCode(cause) === 'ENOSPC';
    throw new FleetlogError(
      full ? 'FLEETLOG_STORE_FULL' : 'FLEETLOG_STORE',
      `${path} can't be written (${systemCode(cause) ?? 'error'}); ${full ? 'make room on the disk' : 'check the disk and its permissions'}.`,
      { cause },
    );
  }
}

/** Undefined where there is none. Errors: FLEETLOG_STORE. */
export async function readWhole(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return undefined;
    throw new FleetlogError('FLEETLOG_STORE', `${path} can't be read (${systemCode(cause) ?? 'error'}).`, {
      cause,
    });
  }
}
