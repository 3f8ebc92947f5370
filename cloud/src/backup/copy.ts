import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { FleetlogError } from '@fleetlog/shared/errors';
import type { BackupEvent } from '../api/backup-routes.js';
import type { ApiClient } from '../client/api-client.js';
import type { BackupDescription, CopiedFile, OfferedFile } from './description.js';
import { BackupFolder } from './folder.js';

export interface BackupResult {
  takenUs: number;
  files: number;
  bytes: number;
  copiedFiles: number;
  copiedBytes: number;
}

/** The cloud says something every 10 s, but for the moment in which it gathers what there is. */
const silenceMsMax = 120_000;

/**
 * Brings a backup up to date with a cloud that runs. What the backup before has already isn't copied again. Errors:
 * those of `BackupFolder` and of the API; the backup that was in the folder is whole then as before.
 */
export async function takeBackup(
  api: ApiClient,
  path: string,
  options: { signal: AbortSignal; onBytes: (bytes: number, total: number) => void },
): Promise<BackupResult> {
  const over = new AbortController();
  const signal = AbortSignal.any([options.signal, over.signal]);
  try {
    const { chunks } = await api.stream('/v1/backup', {}, { silenceMsMax, signal });
    const { files, ...head } = await offered(chunks);
    const folder = await BackupFolder.open(path, head.log);
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    const all: CopiedFile[] = [];
    const result = { takenUs: head.takenUs, files: files.length, bytes, copiedFiles: 0, copiedBytes: 0 };
    for (const file of files) {
      options.signal.throwIfAborted();
      let copied = await folder.copied(file);
      if (!copied) {
        copied = await folder.add(file, contentOf(api, file, signal));
        result.copiedFiles++;
        result.copiedBytes += file.bytes;
      }
      all.push(copied);
      options.onBytes(file.bytes, bytes);
    }
    await folder.finish({ format: 1, ...head, files: all });
    return result;
  } catch (error) {
    options.signal.throwIfAborted();
    throw error;
  } finally {
    over.abort(); // the cloud lets go of what it held
  }
}

async function offered(
  chunks: AsyncIterable<Uint8Array>,
): Promise<Omit<BackupDescription, 'format' | 'files'> & { files: OfferedFile[] }> {
  const files: OfferedFile[] = [];
  const lines = createInterface(Readable.from(chunks, { objectMode: false }));
  const { promise, resolve, reject } = Promise.withResolvers<Extract<BackupEvent, { event: 'ready' }>>();
  const interrupted = (): void =>
    reject(
      new FleetlogError('FLEETLOG_INTERRUPTED', 'The cloud ended before the backup began; run it again.'),
    );
  // Read to its end, which is ours: that keeps the connection, and so the files, until then.
  lines.on('line', (line) => {
    const event = JSON.parse(line) as BackupEvent;
    if (event.event === 'file') files.push({ path: event.path, bytes: event.bytes, mtimeMs: event.mtimeMs });
    else if (event.event === 'ready') resolve(event);
  });
  lines.on('close', interrupted);
  lines.on('error', interrupted);
  const { log, takenUs, version } = await promise;
  return { log, takenUs, version, files };
}

async function* contentOf(
  api: ApiClient,
  { path }: OfferedFile,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { chunks } = await api.stream('/v1/backup/file', { path }, { silenceMsMax, signal });
  yield* chunks;
}
