import { open, readFile, rename, rm, stat, writeFile, type FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { FleetlogError, systemCode } from '@fleetlog/shared/errors';
import type { Query } from '../client/api-client.js';
import type { Output } from './fleetlog-output.js';

/** The range as the cloud understood it, so that "now" is the same moment when the transfer goes on. */
export interface ExportRange {
  from: string;
  to: string;
}

/** What an earlier run wrote and didn't finish. */
export interface HeldPart extends ExportRange {
  bytes: number;
  crc: number;
}

/** FILE.part.json: to what question FILE.part is the beginning of an answer. */
interface Note {
  query: Query;
  range: ExportRange;
}

/**
 * A file that has its name only when it is whole; before it is FILE.part, with a note beside it that lets a later run of
 * the same command go on. Errors: FLEETLOG_USAGE, FLEETLOG_STORE_FULL.
 */
export class PartFile implements Output {
  /** Where the next bytes go; undefined before the first. */
  private at: number | undefined;

  private constructor(
    private readonly path: string,
    private readonly query: Query,
    private readonly file: FileHandle,
    /** Undefined where there is nothing to go on with. */
    readonly held: HeldPart | undefined,
  ) {}

  static async open(path: string, query: Query, { restart }: { restart: boolean }): Promise<PartFile> {
    await refuseOther(path);
    try {
      const range = restart ? undefined : await rangeInNote(path, query);
      const file = await open(partOf(path), range ? 'r+' : 'w');
      const held = range && (await measure(file));
      return new PartFile(path, query, file, held && held.bytes > 0 ? { ...range, ...held } : undefined);
    } catch (cause) {
      throw new FleetlogError(
        'FLEETLOG_USAGE',
        `${partOf(path)} can't be written (${systemCode(cause) ?? 'error'}); choose another --output.`,
        { cause },
      );
    }
  }

  /** Begins anew: what was held isn't wanted. */
  async begin(range: ExportRange): Promise<void> {
    const note: Note = { query: this.query, range };
    try {
      await this.file.truncate(0);
      await writeFile(noteOf(this.path), JSON.stringify(note));
    } catch (cause) {
      throw this.failed(cause);
    }
    this.at = 0;
  }

  async write(chunk: Uint8Array | string): Promise<void> {
    const bytes = Buffer.from(chunk as Uint8Array);
    this.at ??= this.held?.bytes ?? 0;
    try {
      for (let done = 0; done < bytes.length;) {
        const { bytesWritten } = await this.file.write(bytes, done, bytes.length - done, this.at);
        done += bytesWritten;
        this.at += bytesWritten;
      }
    } catch (cause) {
      throw this.failed(cause);
    }
  }

  async finish(head?: Uint8Array): Promise<void> {
    try {
      if (head) await this.file.write(head, 0, head.length, 0);
      await this.file.datasync();
      await this.file.close();
      await rename(partOf(this.path), this.path);
      await rm(noteOf(this.path), { force: true });
    } catch (cause) {
      throw this.failed(cause);
    }
  }

  abandon(): Promise<void> {
    return this.file.close();
  }

  private failed(cause: unknown): FleetlogError {
    return new FleetlogError(
      'FLEETLOG_STORE_FULL',
      `Writing ${partOf(this.path)} failed (${systemCode(cause) ?? 'error'}); it is incomplete.`,
      { cause },
    );
  }
}

export const partOf = (path: string): string => `${path}.part`;
const noteOf = (path: string): string => `${partOf(path)}.json`;

/** The file comes in the place of what has its name, which must not be a device or a folder. */
async function refuseOther(path: string): Promise<void> {
  const there = await stat(path).catch(() => undefined);
  if (!there || there.isFile()) return;
  throw new FleetlogError(
    'FLEETLOG_USAGE',
    `${path} isn't a file; name one with --output, or leave that out and redirect what comes.`,
  );
}

/** Undefined where FILE.part isn't the beginning of an answer to this question. */
async function rangeInNote(path: string, query: Query): Promise<ExportRange | undefined> {
  try {
    const note = JSON.parse(await readFile(noteOf(path), 'utf8')) as Partial<Note>;
    if (JSON.stringify(note.query) !== JSON.stringify(query)) return undefined;
    await (await open(partOf(path), 'r+')).close();
    return note.range;
  } catch {
    return undefined;
  }
}

/** Reads all of it: the cloud compares it with what it would send now. */
async function measure(file: FileHandle): Promise<{ bytes: number; crc: number }> {
  const buffer = Buffer.allocUnsafe(1024 * 1024);
  let crc = 0;
  let bytes = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, bytes);
    if (bytesRead === 0) return { bytes, crc };
    crc = crc32(buffer.subarray(0, bytesRead), crc);
    bytes += bytesRead;
  }
}
