import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { appendFile, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FleetlogError, systemCode } from '@fleetlog/shared/errors';
import { readWhole } from '../storage/state-file.js';
import {
  contentPath,
  filesPath,
  readCopied,
  readDescription,
  writeDescription,
  type BackupDescription,
  type CopiedFile,
  type OfferedFile,
} from './description.js';

/** The folder that a backup is taken into. The backup that was in it stays whole until the new one is. */
export class BackupFolder {
  private constructor(
    private readonly path: string,
    private readonly before: BackupDescription | undefined,
    private readonly known: ReadonlyMap<string, CopiedFile>,
  ) {}

  /** Errors: FLEETLOG_CONFIG where the folder holds something else, or another log; FLEETLOG_STORE… */
  static async open(path: string, log: string): Promise<BackupFolder> {
    try {
      await mkdir(path, { recursive: true });
      const before = await readDescription(path);
      const journal = await readWhole(journalPath(path));
      const names = await readdir(path);
      if (!before && !journal && names.length > 0) {
        throw new FleetlogError(
          'FLEETLOG_CONFIG',
          `${path} holds something that isn't a backup (${names[0]}); choose an empty folder.`,
        );
      }
      if (before && before.log !== log) {
        throw new FleetlogError(
          'FLEETLOG_CONFIG',
          `${path} is a backup of another log; choose another folder.`,
        );
      }
      await mkdir(filesPath(path), { recursive: true });
      if (!journal) await appendFile(journalPath(path), '');
      const known = new Map<string, CopiedFile>();
      const copied = (journal?.toString() ?? '').split('\n').map(readCopied);
      for (const file of [...(before?.files ?? []), ...copied]) if (file) known.set(keyOf(file), file);
      return new BackupFolder(path, before, known);
    } catch (error) {
      throw writeFailure(path, error);
    }
  }

  /** The content of a file like this one, where it was copied before and is still there. */
  async copied(file: OfferedFile): Promise<CopiedFile | undefined> {
    const found = this.known.get(keyOf(file));
    if (!found) return undefined;
    const { size } = await stat(contentPath(this.path, found.sha256)).catch(() => ({ size: -1 }));
    return size === file.bytes ? found : undefined;
  }

  /**
   * Takes a content, durably, and reads it back. Errors: FLEETLOG_STORE_FULL, FLEETLOG_STORE, FLEETLOG_INTERRUPTED where
   * it isn't whole, those of `chunks`.
   */
  async add(file: OfferedFile, chunks: AsyncIterable<Uint8Array>): Promise<CopiedFile> {
    const part = join(filesPath(this.path), 'part');
    const hash = createHash('sha256');
    let bytes = 0;
    try {
      const out = await open(part, 'w', 0o640);
      try {
        for await (const chunk of chunks) {
          hash.update(chunk);
          bytes += chunk.length;
          await out.writeFile(chunk);
        }
        await out.datasync();
      } finally {
        await out.close();
      }
      const sha256 = hash.digest('hex');
      if (bytes !== file.bytes) {
        throw new FleetlogError(
          'FLEETLOG_INTERRUPTED',
          `${file.path} came with ${bytes} of its ${file.bytes} bytes.`,
        );
      }
      if ((await hashOf(part)) !== sha256) {
        throw new FleetlogError(
          'FLEETLOG_STORE',
          `${part} doesn't read back as it was written; check the disk that the backup goes to.`,
        );
      }
      await rename(part, contentPath(this.path, sha256));
      const copied = { ...file, sha256 };
      await appendFile(journalPath(this.path), `${JSON.stringify(copied)}\n`);
      return copied;
    } catch (error) {
      await rm(part, { force: true });
      throw writeFailure(this.path, error);
    }
  }

  /** Makes these files the backup, and removes what only the one before needed. Errors: as `add`. */
  async finish(description: BackupDescription): Promise<void> {
    try {
      const contents = await open(filesPath(this.path), 'r');
      try {
        await contents.sync();
      } finally {
        await contents.close();
      }
      await writeDescription(this.path, description);
      const needed = new Set(description.files.map(({ sha256 }) => sha256));
      for (const name of await readdir(filesPath(this.path))) {
        if (!needed.has(name)) await rm(join(filesPath(this.path), name), { force: true });
      }
      await rm(journalPath(this.path), { force: true });
    } catch (error) {
      throw writeFailure(this.path, error);
    }
  }

  /** The moment that the backup before this one shows, µs. */
  get beforeUs(): number | undefined {
    return this.before?.takenUs;
  }
}

export async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

const journalPath = (path: string): string => join(path, 'copied.ndjson');
const keyOf = ({ path, bytes, mtimeMs }: OfferedFile): string => `${path}\0${bytes}\0${mtimeMs}`;

/** What the disk says, in a sentence that says what to do. */
export function writeFailure(path: string, error: unknown): unknown {
  const code = systemCode(error);
  if (error instanceof FleetlogError || code === undefined) return error;
  return code === 'ENOSPC' || code === 'EDQUOT'
    ? new FleetlogError(
        'FLEETLOG_STORE_FULL',
        `No space left for ${path}; make room on its disk and run it again.`,
        { cause: error },
      )
    : new FleetlogError('FLEETLOG_STORE', `${path} can't be used (${code}); check it and its permissions.`, {
        cause: error,
      });
}
