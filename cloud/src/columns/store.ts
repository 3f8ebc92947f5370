import { rm } from 'node:fs/promises';
import { isFleetlogError } from '@fleetlog/shared/errors';
import {
  readTime,
  joinKey,
  openRocksDb,
  prefixRange,
  storePages,
  textPart,
  timePart,
} from '@fleetlog/shared/store';
import type { KeyRange, OrderedStore, StoreOperation } from '@fleetlog/shared/store';
import { minuteUs } from '../index/changes.js';
import { NumberReader, packNumbers } from '../index/numbers.js';
import { decodeColumn, encodeColumn, type Column } from './column.js';

/*
 * format = 'f' 0                                       ; which index the revisions are of
 * minute = 'm' 0 gateway 0 stream 0 minute[8]          ; revision, bytes of its columns, then their identifiers: numbers
 * column = 'c' 0 gateway 0 stream 0 id[4] minute[8]    ; see column.ts
 *
 * Minutes behind one another of one identifier are what a question reads.
 */
const formatVersion = 1;
const formatKey = textPart('f');
const minutesPrefix = textPart('m');
/** Columns read at once; a page of a busy identifier is some hundred kilobytes. */
const pageColumns = 32;

const fullShare = 0.95;
/** What a minute counts beside its columns, so that many small ones don't fill the memory, where each has an entry. */
const minuteBytes = 2048;

/** A minute that is kept. */
export interface KeptMinute {
  startUs: number;
  /** Of what it was made of; see `Index.revisions`. */
  revision: number;
  bytes: number;
}

/** A stream of which minutes are kept. */
export interface KeptStream {
  readonly gateway: string;
  readonly stream: string;
  /** By start. */
  readonly minutes: ReadonlyMap<number, KeptMinute>;
  /** All identifiers that any of its minutes had since the store was opened; it only grows. */
  readonly ids: ReadonlySet<number>;
}

interface HeldStream {
  gateway: string;
  stream: string;
  minutes: Map<number, KeptMinute>;
  ids: Set<number>;
}

export interface ColumnStoreOptions {
  path: string;
  /** Id of the index whose revisions are kept. */
  indexId: string;
  bytesMax: number;
}

/**
 * Keeps past minutes of CAN streams, each identifier's frames by themselves, within a limit of bytes: over it, the oldest
 * minutes go. All of it can be made again from the log, so nothing here is ever synced. Errors: those of the store.
 */
export class ColumnStore {
  private turn: Promise<unknown> = Promise.resolve();
  private held = 0;
  /** Undefined where it has to be looked for. */
  private oldest: number | undefined;

  private constructor(
    private readonly store: OrderedStore,
    private readonly streams: Map<string, HeldStream>,
    readonly bytesMax: number,
  ) {
    for (const { minutes } of streams.values()) for (const { bytes } of minutes.values()) this.held += bytes;
  }

  /** A folder that was made with another index is emptied, and so is one that doesn't read. */
  static async open(options: ColumnStoreOptions): Promise<ColumnStore> {
    try {
      return await ColumnStore.openOnce(options);
    } catch (error) {
      if (!isFleetlogError(error) || error.code !== 'FLEETLOG_STORE') throw error;
      await rm(options.path, { recursive: true, force: true });
      return ColumnStore.openOnce(options);
    }
  }

  private static async openOnce({ path, indexId, bytesMax }: ColumnStoreOptions): Promise<ColumnStore> {
    const store = await openRocksDb({
      path,
      purpose: 'columns folder',
      writeBufferBytes: 4 * 1024 * 1024,
      // Minutes go in the order in which they came: files of values empty one after the other.
      blobs: { bytesMin: 256, fileBytes: 16 * 1024 * 1024 },
    });
    try {
      return new ColumnStore(store, await load(store, indexId), bytesMax);
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  /** Of what is kept, about. */
  get bytes(): number {
    return this.held;
  }

  /** Whether another minute pushes an older one out, about. */
  get isFull(): boolean {
    return this.held >= fullShare * this.bytesMax;
  }

  /** Streams of which minutes are kept, or were. */
  get all(): readonly KeptStream[] {
    return [...this.streams.values()];
  }

  /** Undefined where nothing of it is kept. */
  stream(gateway: string, stream: string): KeptStream | undefined {
    return this.streams.get(nameOf(gateway, stream));
  }

  /** Start of the oldest minute that is kept of any stream; Infinity where none is. */
  get oldestUs(): number {
    if (this.oldest !== undefined) return this.oldest;
    this.oldest = Infinity;
    for (const { minutes } of this.streams.values()) {
      for (const startUs of minutes.keys()) if (startUs < this.oldest) this.oldest = startUs;
    }
    return this.oldest;
  }

  /** Keeps a minute in the place of what was kept of it; then whatever is too much goes, the oldest minutes first. */
  put(
    gateway: string,
    stream: string,
    { startUs, revision, columns }: Omit<KeptMinute, 'bytes'> & { columns: readonly Column[] },
  ): Promise<void> {
    return this.inTurn(async () => {
      const operations = await this.removal(gateway, stream, startUs);
      let bytes = minuteBytes;
      for (const column of columns) {
        const put = { key: columnKey(gateway, stream, column.id, startUs), value: encodeColumn(column) };
        bytes += put.key.length + put.value.length;
        operations.push({ type: 'put', ...put });
      }
      const minute = { startUs, revision, bytes };
      const value = packMinute(minute, columns);
      operations.push({ type: 'put', key: minuteKey(gateway, stream, startUs), value });
      const held = heldIn(this.streams, gateway, stream);
      this.forget(held, startUs); // first, so that who is reading notices
      await this.store.write(operations);
      held.minutes.set(startUs, minute);
      if (this.oldest !== undefined && startUs < this.oldest) this.oldest = startUs;
      for (const { id } of columns) held.ids.add(id);
      this.held += bytes;
      await this.trim();
    });
  }

  drop(gateway: string, stream: string, startUs: number): Promise<void> {
    return this.inTurn(() => this.dropNow(gateway, stream, startUs));
  }

  /** The columns of an identifier in minutes `[fromUs, toUs)`, by time. */
  async *columns(
    gateway: string,
    stream: string,
    id: number,
    { fromUs, toUs }: { fromUs: number; toUs: number },
  ): AsyncGenerator<Column & { startUs: number }> {
    const range: KeyRange = {
      gte: columnKey(gateway, stream, id, fromUs),
      lt: columnKey(gateway, stream, id, toUs),
    };
    for await (const page of storePages(this.store, range, { limit: pageColumns })) {
      for (const { key, value } of page) {
        yield { startUs: readTime(key, key.length - 8), ...decodeColumn(id, value) };
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.turn;
    await this.store.close();
  }

  private async trim(): Promise<void> {
    while (this.held > this.bytesMax) {
      const { oldestUs } = this;
      for (const { gateway, stream, minutes } of this.all) {
        if (minutes.has(oldestUs)) await this.dropNow(gateway, stream, oldestUs);
      }
    }
  }

  private async dropNow(gateway: string, stream: string, startUs: number): Promise<void> {
    const held = this.streams.get(nameOf(gateway, stream));
    if (!held?.minutes.has(startUs)) return;
    this.forget(held, startUs); // first, so that who is reading notices
    await this.store.write(await this.removal(gateway, stream, startUs));
  }

  private forget({ minutes }: HeldStream, startUs: number): void {
    this.held -= minutes.get(startUs)?.bytes ?? 0;
    if (minutes.delete(startUs) && startUs === this.oldest) this.oldest = undefined;
  }

  private async removal(gateway: string, stream: string, startUs: number): Promise<StoreOperation[]> {
    const key = minuteKey(gateway, stream, startUs);
    const value = await this.store.get(key);
    if (!value) return [];
    const { ids } = decodeMinute(startUs, value);
    return [
      { type: 'delete', key },
      ...ids.map((id) => ({ type: 'delete' as const, key: columnKey(gateway, stream, id, startUs) })),
    ];
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.turn.then(work);
    this.turn = result.catch(() => undefined); // whoever asked for it gets the error
    return result;
  }
}

/** What is kept, by gateway and stream. */
async function load(store: OrderedStore, indexId: string): Promise<Map<string, HeldStream>> {
  const format = JSON.stringify({ version: formatVersion, indexId });
  const stored = await store.get(formatKey);
  if (!stored || Buffer.from(stored).toString() !== format) {
    const everything = { gte: Uint8Array.of(0), lt: Uint8Array.of(0xff) };
    await store.write([
      { type: 'delete-range', ...everything },
      { type: 'put', key: formatKey, value: Buffer.from(format) },
    ]);
  }
  const streams = new Map<string, HeldStream>();
  for await (const { key, value } of store.entries(prefixRange(minutesPrefix))) {
    const [, gateway, stream] = Buffer.from(key).toString('latin1').split('\0', 3);
    const held = heldIn(streams, gateway, stream);
    const { ids, ...minute } = decodeMinute(readTime(key, key.length - 8), value);
    held.minutes.set(minute.startUs, minute);
    for (const id of ids) held.ids.add(id);
  }
  return streams;
}

const nameOf = (gateway: string, stream: string): string => `${gateway}/${stream}`;

function heldIn(streams: Map<string, HeldStream>, gateway: string, stream: string): HeldStream {
  const name = nameOf(gateway, stream);
  let held = streams.get(name);
  if (!held) streams.set(name, (held = { gateway, stream, minutes: new Map(), ids: new Set() }));
  return held;
}

const minuteKey = (gateway: string, stream: string, startUs: number): Uint8Array =>
  joinKey(minutesPrefix, textPart(gateway), textPart(stream), timePart(startUs));

function columnKey(gateway: string, stream: string, id: number, startUs: number): Uint8Array {
  const idPart = Buffer.allocUnsafe(4);
  idPart.writeUInt32BE(id);
  return joinKey(textPart('c'), textPart(gateway), textPart(stream), idPart, timePart(startUs));
}

/** `packNumbers` takes some at a time. */
const packMinute = ({ revision, bytes }: KeptMinute, columns: readonly Column[]): Uint8Array =>
  Buffer.concat([packNumbers([revision, bytes]), ...columns.map(({ id }) => packNumbers([id]))]);

function decodeMinute(startUs: number, value: Uint8Array): KeptMinute & { ids: number[] } {
  const input = new NumberReader(value);
  const [revision, bytes] = [input.next(), input.next()];
  const ids: number[] = [];
  while (!input.isAtEnd) ids.push(input.next());
  return { startUs, revision, bytes, ids };
}

/** Minutes that lie in a range as a whole. */
export const wholeMinutes = (range: { fromUs: number; toUs: number }): { fromUs: number; toUs: number } => ({
  fromUs: Math.ceil(range.fromUs / minuteUs) * minuteUs,
  toUs: Math.floor(range.toUs / minuteUs) * minuteUs,
});
