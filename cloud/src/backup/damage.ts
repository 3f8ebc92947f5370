import { systemCode } from '@fleetlog/shared/errors';
import { contentPath, neededDescription } from './description.js';
import { hashOf, writeFailure } from './folder.js';

export interface DamagedFile {
  path: string;
  content: string;
  problem: 'missing' | 'damaged';
}

/** Reads all of a backup. Errors: FLEETLOG_NOT_FOUND, FLEETLOG_STORE_BROKEN where its description is damaged. */
export async function* damagedFiles(
  backup: string,
  onBytes: (bytes: number) => void,
): AsyncGenerator<DamagedFile> {
  const { files } = await neededDescription(backup);
  for (const { path, bytes, sha256 } of files) {
    const content = contentPath(backup, sha256);
    try {
      if ((await hashOf(content)) !== sha256) yield { path, content, problem: 'damaged' };
    } catch (error) {
      if (systemCode(error) === 'ENOENT') yield { path, content, problem: 'missing' };
      else if (systemCode(error) === 'EIO') yield { path, content, problem: 'damaged' };
      else throw writeFailure(content, error);
    }
    onBytes(bytes);
  }
}
