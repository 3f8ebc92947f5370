import { open, type FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import type { Logger } from '@fleetlog/shared/log';

/*
 * The file has two slots that take turns, so that one is whole whatever happens, each
 *
 *   "FLlogmk1" | crc32 u32 of what follows | partitions u32 | revision f64 | next offset f64 per partition
 *
 * (little endian). It is written behind every barrier and not synced: after a loss of power it may be older than the
 * log, and is never ahead of it.
 */
const magic = Buffer.from('FLlogmk1', 'latin1');
const headBytes = 24;
const slotBytes = 16 * 1024;

/** How far each partition was when something was acknowledged last, in a small file beside the log. */
export class LogMark implements AsyncDisposable {
  private failed = false;

  private constructor(
    private readonly path: string,
    private readonly file: FileHandle | undefined,
    /** Next offset by partition, as the last life left them; empty where nobody knows. */
    readonly found: readonly number[],
    private revision: number,
    private readonly logger: Logger,
  ) {}

  /** Opens or makes the file. One that can't be used is logged: the log works without. */
  static async open(path: string, logger: Logger): Promise<LogMark> {
    try {
      const file = await open(path, 'r+').catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return open(path, 'w+');
        throw error;
      });
      const slots = [await readSlot(file, 0), await readSlot(file, 1)];
      const [newest] = slots.filter((slot) => slot !== undefined).sort((a, b) => b.revision - a.revision);
      return new LogMark(path, file, newest?.next ?? [], newest?.revision ?? 0, logger);
    } catch (error) {
      logger.error({ path, error }, "The log's high-water mark can't be used.");
      return new LogMark(path, undefined, [], 0, logger);
    }
  }

  /** All before these offsets is durable. */
  async write(next: readonly number[]): Promise<void> {
    const revision = ++this.revision;
    try {
      const bytes = encodeSlot(revision, next);
      await this.file?.write(bytes, 0, bytes.length, (revision % 2) * slotBytes);
      this.failed = false;
    } catch (error) {
      const { path, logger } = this;
      if (!this.failed) logger.error({ path, error }, "The log's high-water mark isn't written.");
      this.failed = true;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.file?.close();
  }
}

function encodeSlot(revision: number, next: readonly number[]): Buffer {
  const bytes = Buffer.alloc(headBytes + 8 * next.length);
  magic.copy(bytes);
  bytes.writeUInt32LE(next.length, 12);
  bytes.writeDoubleLE(revision, 16);
  for (const [i, offset] of next.entries()) bytes.writeDoubleLE(offset, headBytes + 8 * i);
  bytes.writeUInt32LE(crc32(bytes.subarray(12)), 8);
  return bytes;
}

async function readSlot(
  file: FileHandle,
  slot: number,
): Promise<{ revision: number; next: number[] } | undefined> {
  const bytes = Buffer.alloc(slotBytes);
  await file.read(bytes, 0, slotBytes, slot * slotBytes);
  const count = bytes.readUInt32LE(12);
  const end = headBytes + 8 * count;
  const isWhole =
    bytes.subarray(0, magic.length).equals(magic) &&
    end <= slotBytes &&
    crc32(bytes.subarray(12, end)) === bytes.readUInt32LE(8);
  if (!isWhole) return undefined;
  const next = Array.from({ length: count }, (_, i) => bytes.readDoubleLE(headBytes + 8 * i));
  return { revision: bytes.readDoubleLE(16), next };
}
