import { join } from 'node:path';
import { FleetlogError } from '@fleetlog/shared/errors';
import { fits, Type, type Static } from '@fleetlog/shared/schema';
import { readWhole, replaceFile } from '../storage/state-file.js';

/*
 * A backup is a folder:
 *
 *   backup.json      what it is of, and each file with its SHA-256; written last, so that it names only what is there
 *   files/HASH       contents, by their SHA-256
 *   files/part       what is being copied
 *   copied.ndjson    files that a backup under way has copied, so that one that was interrupted goes on
 */
const Count = Type.Integer({ minimum: 0 });
const Hash = Type.String({ pattern: '^[0-9a-f]{64}$' });
/** A name in one of the folders that a backup knows: nothing that leads elsewhere. */
const Path = Type.String({ pattern: '^(log|catalogue|catalogue/databases)/[A-Za-z0-9_-][A-Za-z0-9._-]*$' });

const FileSchema = Type.Object({ path: Path, bytes: Count, mtimeMs: Type.Number(), sha256: Hash });

const DescriptionSchema = Type.Object({
  format: Type.Literal(1),
  /** Of the database that the log is in: another log isn't mixed with it. */
  log: Type.String(),
  /** The moment that it shows, µs. */
  takenUs: Type.Integer(),
  version: Type.String(),
  files: Type.Array(FileSchema),
});

/** A file as the cloud offers it. Of one name, size and time there is one content: RocksDB writes each file once. */
export type OfferedFile = Omit<CopiedFile, 'sha256'>;
export type CopiedFile = Static<typeof FileSchema>;
export type BackupDescription = Static<typeof DescriptionSchema>;

const descriptionPath = (folder: string): string => join(folder, 'backup.json');
export const filesPath = (folder: string): string => join(folder, 'files');
export const contentPath = (folder: string, sha256: string): string => join(filesPath(folder), sha256);

/** Undefined where the folder holds no whole backup. Errors: FLEETLOG_STORE_BROKEN, FLEETLOG_STORE. */
export async function readDescription(folder: string): Promise<BackupDescription | undefined> {
  const path = descriptionPath(folder);
  const content = await readWhole(path);
  if (content === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(content.toString());
    if (fits(DescriptionSchema, value)) return value;
  } catch {
    // the sentence below says what there is to say
  }
  throw new FleetlogError(
    'FLEETLOG_STORE_BROKEN',
    `${path} isn't the description of a backup that this version reads; take the backup into another folder.`,
  );
}

/** As `readDescription`, where there has to be one. Errors: FLEETLOG_NOT_FOUND besides. */
export async function neededDescription(folder: string): Promise<BackupDescription> {
  const description = await readDescription(folder);
  if (description) return description;
  throw new FleetlogError(
    'FLEETLOG_NOT_FOUND',
    `${folder} holds no whole backup (no backup.json); take one with "fleetlog-cloud backup ${folder}".`,
  );
}

export const writeDescription = (folder: string, description: BackupDescription): Promise<void> =>
  replaceFile(descriptionPath(folder), `${JSON.stringify(description, null, 1)}\n`);

/** What another version, or a damaged file, might say is left out. */
export function readCopied(line: string): CopiedFile | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return fits(FileSchema, value) ? value : undefined;
  } catch {
    return undefined; // the end of a line that a crash cut off
  }
}
