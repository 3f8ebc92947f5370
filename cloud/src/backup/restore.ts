import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FleetlogError, systemCode } from '@fleetlog/shared/errors';
import { heldPrefix } from '../ingest/held.js';
import { continueRestored } from '../log/restored.js';
import { openLogStore } from '../log/rocksdb-log.js';
import { contentPath, neededDescription, type BackupDescription, type CopiedFile } from './description.js';
import { writeFailure } from './folder.js';

/** In the data folder while it isn't whole. */
const unfinished = 'restore-unfinished';

/**
 * Makes an empty folder the data folder of a cloud again. Each file is checked while it is copied. Errors:
 * FLEETLOG_CONFIG where the folder isn't empty, FLEETLOG_NOT_FOUND, FLEETLOG_STORE_BROKEN where the backup is damaged,
 * FLEETLOG_STORE…
 */
export async function restore(
  backup: string,
  data: string,
  onBytes: (bytes: number) => void,
): Promise<BackupDescription> {
  const description = await neededDescription(backup);
  try {
    await mkdir(data, { recursive: true });
    const [found] = await readdir(data);
    if (found !== undefined) {
      throw new FleetlogError(
        'FLEETLOG_CONFIG',
        found === unfinished
          ? `A restore into ${data} wasn't finished; remove the folder and begin again.`
          : `${data} isn't empty (${found}); restore into an empty folder.`,
      );
    }
    await writeFile(join(data, unfinished), '');
    await mkdir(join(data, 'catalogue', 'databases'), { recursive: true });
    await mkdir(join(data, 'log'));
    for (const file of description.files) await copyChecked(backup, data, file, onBytes);
    for (const folder of ['log', 'catalogue/databases', 'catalogue', ''])
      await syncFolder(join(data, folder));
  } catch (error) {
    throw writeFailure(data, error);
  }
  {
    await using store = await openLogStore(join(data, 'log'));
    await continueRestored(store, description.takenUs, heldPrefix);
  }
  await rm(join(data, unfinished));
  await syncFolder(data);
  return description;
}

/** Errors: FLEETLOG_CONFIG where a restore into the folder was cut off. */
export async function refuseHalfRestored(data: string): Promise<void> {
  const isWhole = await stat(join(data, unfinished)).then(
    () => false,
    () => true,
  );
  if (isWhole) return;
  throw new FleetlogError(
    'FLEETLOG_CONFIG',
    `A restore into ${data} wasn't finished; remove the folder and restore again.`,
  );
}

async function copyChecked(
  backup: string,
  data: string,
  file: CopiedFile,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const to = join(data, file.path);
  const hash = createHash('sha256');
  const out = await open(to, 'wx', 0o640);
  try {
    const content = createReadStream(contentPath(backup, file.sha256), { highWaterMark: 1 << 20 });
    for await (const chunk of content as AsyncIterable<Buffer>) {
      hash.update(chunk);
      await out.writeFile(chunk);
      onBytes(chunk.length);
    }
    await out.datasync();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') throw damaged(backup, file, 'is missing');
    throw error;
  } finally {
    await out.close();
  }
  if (hash.digest('hex') !== file.sha256) throw damaged(backup, file, 'is damaged');
  const seconds = file.mtimeMs / 1000;
  await utimes(to, seconds, seconds); // so that the next backup knows it again
}

const damaged = (backup: string, { path, sha256 }: CopiedFile, what: string): FleetlogError =>
  new FleetlogError(
    'FLEETLOG_STORE_BROKEN',
    `${path} of the backup ${what} (${contentPath(backup, sha256)}); nothing was restored, use another backup.`,
  );

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
