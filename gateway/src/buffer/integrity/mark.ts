import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { decodePlain, encodePlain, isLifeId, streamKinds, type StreamKind } from '@fleetlog/shared/batch';
import type { Logger } from '@fleetlog/shared/log';
import { isDiskError } from '@fleetlog/shared/store';
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
 * The file has two slots of blocks, each block
 *
 *   "FLm2" | crc32 u32 of what follows | revision f64 | bytes u32 | CBOR      (little endian)
 *
 * A slot begins with a whole mark, `[rows, gateway, epoch, boot]`. Behind it come blocks that hold the rows that have
 * changed, `[rows]`, each with the revision after the one before it: what a slot's former use left doesn't
 * have that. When a slot's page is full it begins anew. Once it is synced the other slot's turn comes, so one of them
 * is always whole, and at most a page or two are dirty.
 *
 * Why rows of what changed: each commit writes the mark, and may be as small as one batch.
 */
const magic = Buffer.from('FLm2', 'latin1');
const headBytes = 20;
const slotBytes = 1024 * 1024;
const pageBytes = 4096;
/** For changes behind a whole mark. */
const roomBytesMin = 2048;
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
  /** Streams that differ from what the slot says. */
  private changed = new Set<string>();
  /** Where the slot's next block goes; 0: it begins anew. */
  private at = 0;
  private room = 0;
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

  /**
   * Opens or makes the file. One that can't be used is logged: the buffer works without. With `isPatient` an error of
   * the disk isn't that yet, and rejects.
   */
  static async open(path: string, clock: Clock, logger: Logger, isPatient = false): Promise<MarkFile> {
    const say = (error: unknown): undefined => {
      if (isPatient && isDiskError(error)) throw error;
      logger.error({ path, error: String(error) }, "The buffer's high-water mark can't be used.");
    };
    let file: FileHandle | undefined;
    try {
      await mkdir(dirname(path), { recursive: true });
      file = await open(path, 'r+').catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return open(path, 'w+', 0o600);
        throw error;
      });
      const slots = [await readSlot(file, 0).catch(say), await readSlot(file, 1).catch(say)];
      const found = newest(slots);
      const newer = slots.indexOf(found);
      return new MarkFile(path, file, found?.mark, found?.revision ?? 0, 1 - newer, clock, logger);
    } catch (error) {
      await file?.close().catch(() => undefined);
      say(error);
      return new MarkFile(path, undefined, undefined, 0, 0, clock, logger);
    }
  }

  /**
   * All of `mark` is durable; `changed`: the streams that differ from the mark noted before. Returns at once; of marks
   * that come while one is written, the last is written next.
   */
  note(mark: Mark, changed: Iterable<string>): void {
    for (const stream of changed) this.changed.add(stream);
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
      this.at = 0;
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
    if (!this.file) return;
    const { changed } = this;
    this.changed = new Set();
    const revision = this.revision + 1;
    let block = this.at > 0 ? encodeBlock(revision, [rowsOf(mark, changed)]) : undefined;
    if (!block || this.at + block.length > this.room) {
      const { gateway, epoch, boot, streams } = mark;
      block = encodeBlock(revision, [rowsOf(mark, Object.keys(streams)), gateway, epoch, boot]);
      this.at = 0;
      this.room = pageBytes * Math.ceil((block.length + roomBytesMin) / pageBytes);
      if (this.room > slotBytes) return;
    }
    const at = this.at;
    this.at = 0; // where this fails nobody knows what the slot holds: it begins anew
    await this.file.write(block, 0, block.length, this.slot * slotBytes + at);
    this.at = at + block.length;
    this.revision = revision;
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

type Row = [
  stream: string,
  kind: StreamKind,
  next: number,
  records: number,
  bytes: number,
  lastTimeUs: number | null,
  done: number[],
  position: Uint8Array | null,
];

const rowsOf = ({ streams }: Mark, names: Iterable<string>): Row[] =>
  Array.from(names, (name) => {
    const { kind, next, records, bytes, lastTimeUs, done, position } = streams[name];
    const bytesOf = position === undefined ? null : Buffer.from(position, 'base64');
    return [name, kind, next, records, bytes, lastTimeUs ?? null, done, bytesOf];
  });

/** Undefined where a row isn't one: the checksum fits, so it is as somebody wrote it; perhaps another version. */
function streamsOf(rows: unknown): Record<string, StreamMark> | undefined {
  if (!Array.isArray(rows)) return undefined;
  const streams: Record<string, StreamMark> = {};
  for (const row of rows as Row[]) {
    const [stream, kind, next, records, bytes, lastTimeUs, done, position] = row;
    if (!streamKinds.includes(kind) || !Number.isSafeInteger(next) || !Array.isArray(done)) return undefined;
    streams[stream] = {
      kind,
      next,
      records,
      bytes,
      lastTimeUs: lastTimeUs ?? undefined,
      done,
      position: position ? Buffer.from(position).toString('base64') : undefined,
    };
  }
  return streams;
}

function encodeBlock(revision: number, content: unknown[]): Buffer {
  const encoded = encodePlain(content);
  const bytes = Buffer.alloc(headBytes + encoded.length);
  magic.copy(bytes);
  bytes.writeDoubleLE(revision, 8);
  bytes.writeUInt32LE(encoded.length, 16);
  bytes.set(encoded, headBytes);
  bytes.writeUInt32LE(crc32(bytes.subarray(8)), 4);
  return bytes;
}

interface Block {
  revision: number;
  content: unknown[];
  /** Where the next one begins. */
  end: number;
}

/** Undefined where no whole block begins at `at`. */
function blockAt(slot: Buffer, at: number): Block | undefined {
  if (at + headBytes > slot.length || !slot.subarray(at, at + magic.length).equals(magic)) return undefined;
  const end = at + headBytes + slot.readUInt32LE(at + 16);
  if (end > slot.length || crc32(slot.subarray(at + 8, end)) !== slot.readUInt32LE(at + 4)) return undefined;
  const content = decodePlain(slot.subarray(at + headBytes, end), { depthMax: 5, itemsMax: slotBytes });
  return Array.isArray(content) ? { revision: slot.readDoubleLE(at + 8), content, end } : undefined;
}

async function readSlot(file: FileHandle, index: number): Promise<Slot | undefined> {
  const bytes = Buffer.alloc(slotBytes);
  const { bytesRead } = await file.read(bytes, 0, slotBytes, index * slotBytes);
  const slot = bytes.subarray(0, bytesRead);
  const first = blockAt(slot, 0);
  if (!first) return undefined;
  const [rows, gateway, epoch, boot] = first.content;
  const streams = streamsOf(rows);
  if (!streams || typeof gateway !== 'string' || !isLifeId(epoch) || typeof boot !== 'string')
    return undefined;
  let { revision, end } = first;
  for (;;) {
    const block = blockAt(slot, end);
    const changed = block?.revision === revision + 1 ? streamsOf(block.content[0]) : undefined;
    if (!block || !changed) return { revision, mark: { gateway, epoch, boot, streams } };
    Object.assign(streams, changed);
    ({ revision, end } = block);
  }
}
