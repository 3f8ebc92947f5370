import { createReadStream } from 'node:fs';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FleetlogError } from '@fleetlog/shared/errors';
import { emptyFolder } from '@fleetlog/shared/store';
import type { Clock } from '@fleetlog/shared/util';
import type { Log } from '../log/log.js';
import type { Retention } from '../retention/retention.js';
import type { Catalogue } from '../signals/catalogue/index.js';
import type { OfferedFile } from './description.js';

export interface BackupDeskOptions {
  /** The cloud's data folder. */
  data: string;
  log: Log;
  catalogue: Catalogue;
  retention: Pick<Retention, 'pause'>;
  clock: Clock;
}

/** The cloud as it was at one moment, offered for as long as it isn't disposed of. */
export interface BackupOffer extends AsyncDisposable {
  /** Of the database that the log is in. */
  log: string;
  takenUs: number;
  files: OfferedFile[];
}

/**
 * Offers what a backup consists of: the log, in which notes, held sequences and the groups' checkpoints are, and the
 * catalogue. The index and the sums are made of these. One offer at a time; the disk isn't given back what it holds.
 */
export class BackupDesk {
  private readonly folder: string;
  private offered = new Map<string, number>();

  private constructor(private readonly options: BackupDeskOptions) {
    this.folder = join(options.data, 'backup');
  }

  /** Removes what a killed process was offering. */
  static async open(options: BackupDeskOptions): Promise<BackupDesk> {
    const desk = new BackupDesk(options);
    await desk.clear();
    return desk;
  }

  /** Errors: FLEETLOG_CONFIG where the log is in Kafka, FLEETLOG_STORE…, FLEETLOG_STORE_FULL. */
  async offer(): Promise<BackupOffer> {
    const { data, log, catalogue, retention, clock } = this.options;
    if (!log.checkpoint) {
      throw new FleetlogError(
        'FLEETLOG_CONFIG',
        'The log is in Kafka, whose own means copy a topic (such as MirrorMaker); copy the folder "catalogue" besides.',
      );
    }
    try {
      await emptyFolder(this.folder);
      let takenUs: number;
      {
        using _pause = await retention.pause();
        takenUs = clock.nowUs(); // before: what is acknowledged from here on may be missing, and nothing earlier
        await log.checkpoint(join(this.folder, 'log'));
      }
      await catalogue.copyTo(join(this.folder, 'catalogue'));
      const files = [
        ...(await this.filesIn('log')),
        ...(await this.filesIn('catalogue')),
        ...(await this.filesIn('catalogue/databases')),
      ];
      this.offered = new Map(files.map(({ path, bytes }) => [path, bytes]));
      const identity = (await readFile(join(data, 'log', 'IDENTITY'), 'latin1')).trim();
      return { log: identity, takenUs, files, [Symbol.asyncDispose]: () => this.clear() };
    } catch (error) {
      await this.clear();
      throw error;
    }
  }

  /** Errors: FLEETLOG_NOT_FOUND where it isn't offered now. */
  async *read(path: string): AsyncGenerator<Uint8Array> {
    const bytes = this.offered.get(path);
    if (bytes === undefined) {
      throw new FleetlogError(
        'FLEETLOG_NOT_FOUND',
        `The backup under way has no file ${path.slice(0, 200)}.`,
      );
    }
    if (bytes === 0) return;
    yield* createReadStream(join(this.folder, path), { end: bytes - 1, highWaterMark: 1 << 20 });
  }

  private async filesIn(below: string): Promise<OfferedFile[]> {
    const files: OfferedFile[] = [];
    for (const entry of await readdir(join(this.folder, below), { withFileTypes: true })) {
      if (!entry.isFile() || entry.name.endsWith('.part')) continue;
      const { size, mtimeMs } = await stat(join(this.folder, below, entry.name));
      files.push({ path: `${below}/${entry.name}`, bytes: size, mtimeMs });
    }
    return files;
  }

  private async clear(): Promise<void> {
    this.offered.clear();
    await rm(this.folder, { recursive: true, force: true });
  }
}
