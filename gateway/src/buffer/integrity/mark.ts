import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { isLifeId, streamKinds, type StreamKind } from '@fleetlog/shared/batch';
import type { Logger } from '@fleetlog/shared/log';
import { RangeSet, type Clock } from '@fleetlog/shared/util';

/** How far the buffer was when the mark was written: never ahead of what was durable then. */
export interface Mark {
  gateway: string;
  epoch: string;
  /** Life of the monotonic clock in which it was written. */
  boot: string;
  streams: Record<string, StreamMark>;
}

export interface StreamMark {
  kind: StreamKind;
  /** Sequence after the last durable one. */
  next: number;
  /** Records and bytes put before `next`. */
  records: number;
  bytes: number;
  /** Largest event time before `next`, µs; absent where this process has put nothing. */
  lastTimeUs?: number | undefined;
  /** Flat ranges of what needn't be sent any more. */
  done: number[];
  /** Of the source, base64. */
  position?: string | undefined;
}

/*
 * The file has two slots, each
 *
 *   "FLmark1\n" | crc32 u32 of what follows | revision f64 | bytes u32 | JSON of `Mark`      (little endian)
 *
 * A slot is written over and over until it is synced; then the other one's turn comes. So one of them is always whole,
 * and at most one page is dirty.
 */
const magic = Buffer.from('FLmark1\n', 'latin1');
const headBytes = 24;
const slotBytes = 1024 * 1024;
/** Of marks that power may take away; see decision 0017 on what a lagging mark can miss. */
const syncMs = 10_000;
const doneRangesMax = 64;
const positionCharsMax = 4096;

/** The buffer's high-water mark, in a small file beside the database. */
export class MarkFile implements AsyncDisposable {
  private revision: number;
  private syncedMs: number;
  private dirty = false;
  private waiting: Mark | undefined;
  private writing: Promise<void> = Promise.resolve();
  private failed = false;

  private constructor(
    private readonly path: string,
    private readonly file: FileHandle | undefined,
    /** What the last life of this buffer left; undefined where no slot is whole. */
    readonly found: Mark | undefined,
    revision: number,
    private slot: number,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {
    this.revision = revision;
    this.syncedMs = clock.monotonicUs() / 1000 - syncMs;
  }

  /** Opens or makes the file. One that can't be used is logged: the buffer works without. */
  static async open(path: string, clock: Clock, logger: Logger): Promise<MarkFile> {
    try {
      await mkdir(dirname(path), { recursive: true });
      const file = await open(path, 'r+').catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return open(path, 'w+', 0o600);
        throw error;
      });
      const slots = [await readSlot(file, 0), await readSlot(file, 1)];
      const found = newest(slots);
      const newer = slots.indexOf(found);
      return new MarkFile(path, file, found?.mark, found?.revision ?? 0, 1 - newer, clock, logger);
    } catch (error) {
      logger.error({ path, error: String(error) }, "The buffer's high-water mark can't be used.");
      return new MarkFile(path, undefined, undefined, 0, 0, clock, logger);
    }
  }

  /** All of `mark` is durable. Returns at once; of marks that come while one is written, the last is written next. */
  note(mark: Mark): void {
    if (this.waiting === undefined) this.writing = this.writing.then(() => this.writeWaiting(false));
    this.waiting = mark;
  }

  /** The last mark noted is durable when it resolves. */
  async sync(): Promise<void> {
    this.writing = this.writing.then(() => this.writeWaiting(true));
    await this.writing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sync();
    await this.file?.close();
  }

  private async writeWaiting(syncNow: boolean): Promise<void> {
    const mark = this.waiting;
    this.waiting = undefined;
    try {
      if (mark) await this.write(mark);
      const nowMs = this.clock.monotonicUs() / 1000;
      if (!this.dirty || !(syncNow || nowMs - this.syncedMs >= syncMs)) return;
      await this.file?.datasync();
      this.syncedMs = nowMs;
      this.dirty = false;
      this.slot = 1 - this.slot;
      this.failed = false;
    } catch (error) {
      if (!this.failed) {
        this.logger.error(
          { path: this.path, error: String(error) },
          "The buffer's high-water mark isn't written.",
        );
      }
      this.failed = true;
    }
  }

  private async write(mark: Mark): Promise<void> {
    const bytes = encodeSlot(++this.revision, mark);
    if (!this.file || bytes.length > slotBytes) return;
    await this.file.write(bytes, 0, bytes.length, this.slot * slotBytes);
    this.dirty = true;
  }
}

/** What a mark's file says; undefined where there is none that is whole. Changes nothing. */
export async function readMark(path: string): Promise<Mark | undefined> {
  try {
    await using file = await open(path, 'r');
    const slots = [await readSlot(file, 0), await readSlot(file, 1)];
    return newest(slots)?.mark;
  } catch {
    return undefined;
  }
}

const newest = (slots: (Slot | undefined)[]): Slot | undefined =>
  (slots[1]?.revision ?? -1) > (slots[0]?.revision ?? -1) ? slots[1] : slots[0];

interface Slot {
  revision: number;
  mark: Mark;
}

/** What a mark says of a stream, within the limits of the file. */
export function streamMark(facts: {
  kind: StreamKind;
  durableNext: number;
  records: number;
  bytes: number;
  lastTimeUs: number | undefined;
  done: RangeSet;
  position: Uint8Array | undefined;
}): StreamMark {
  const { kind, durableNext: next, records, bytes, lastTimeUs, done } = facts;
  const position = facts.position && Buffer.from(facts.position).toString('base64');
  return {
    kind,
    next,
    records,
    bytes,
    lastTimeUs,
    done: done.toFlat().slice(0, 2 * doneRangesMax),
    position: position !== undefined && position.length <= positionCharsMax ? position : undefined,
  };
}

function encodeSlot(revision: number, mark: Mark): Buffer {
  const text = Buffer.from(JSON.stringify(mark));
  const bytes = Buffer.alloc(headBytes + text.length);
  magic.copy(bytes);
  bytes.writeDoubleLE(revision, 12);
  bytes.writeUInt32LE(text.length, 20);
  text.copy(bytes, headBytes);
  bytes.writeUInt32LE(crc32(bytes.subarray(12)), 8);
  return bytes;
}

async function readSlot(file: FileHandle, slot: number): Promise<Slot | undefined> {
  const head = Buffer.alloc(headBytes);
  await file.read(head, 0, headBytes, slot * slotBytes);
  if (!head.subarray(0, magic.length).equals(magic)) return undefined;
  const text = Buffer.alloc(Math.min(head.readUInt32LE(20), slotBytes));
  await file.read(text, 0, text.length, slot * slotBytes + headBytes);
  if (crc32(text, crc32(head.subarray(12))) !== head.readUInt32LE(8)) return undefined;
  const mark = JSON.parse(text.toString()) as Mark;
  return isMark(mark) ? { revision: head.readDoubleLE(12), mark } : undefined;
}

/** The checksum fits, so it is as somebody wrote it; perhaps another version. */
function isMark(mark: Mark): boolean {
  const streams = Object.values(mark.streams);
  return (
    typeof mark.gateway === 'string' &&
    isLifeId(mark.epoch) &&
    streams.every(
      ({ kind, next, done }) =>
        streamKinds.includes(kind) && Number.isSafeInteger(next) && Array.isArray(done),
    )
  );
}
