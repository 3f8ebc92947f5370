import { open, readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '@fleetlog/shared/log';

const manifest = /^MANIFEST-\d{6,}$/;

/**
 * RocksDB finds everything else by the name in `CURRENT`, a file of 16 bytes: where these are damaged and there is one
 * manifest that they can have named, they are written anew.
 */
export async function mendCurrent(path: string, logger: Logger): Promise<void> {
  const names = await readdir(path).catch((): string[] => []);
  if (!names.includes('CURRENT')) return;
  const manifests = names.filter((name) => manifest.test(name));
  const text = await readFile(join(path, 'CURRENT'), 'latin1');
  if (manifests.length !== 1 || text === `${manifests[0]}\n`) return;
  const next = join(path, 'CURRENT.dbtmp');
  const file = await open(next, 'w');
  await file.writeFile(`${manifests[0]}\n`);
  await file.datasync();
  await file.close();
  await rename(next, join(path, 'CURRENT'));
  logger.error({ path }, 'CURRENT of the log was damaged; there is one manifest, so it is written anew.');
}
