import { FleetlogError, isFleetlogError } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import { openRocksDb, type OrderedStore, type StoreOperation } from '@fleetlog/shared/store';
import { Signal, type Clock } from '@fleetlog/shared/util';
import * as keys from './keys.js';
import type { Log, LogAppend, LogEntry, LogNote, LogRemoval, OffsetRange, PartitionEnds } from './log.js';
import { notesIn } from './notes.js';
import { LogPages, pageEntriesMax, toEntry } from './pages.js';
import { RecentEntries } from './recent.js';
import { LogMark } from './mark.js';
import { goBehindLost, loadPartition, partitionCountOf, type Partition } from './open.js';
import { mendCurrent } from './mend-current.js';
import { NoteRiders } from './riders.js';
import { removalOf, removedRanges } from './removal.js';

export interface LogOptions {
  /** How many partitions a new log gets; an existing one keeps its own, and another number here is refused. */
  partitions?: number | undefined;
  logger: Logger;
  clock: Clock;
  /** Says what was acknowledged, whatever the store still knows; closed with the log. */
  mark?: LogMark;
}

export interface LogFolderOptions extends LogOptions {
  path: string;
  writeBufferBytes?: number | undefined;
}

/**
 * Values of at least this size go to blob files, which compaction doesn't rewrite. With batches of 5.5 KB in 8
 * partitions 2.0 bytes are written per byte taken, against 5 (and more as the log grows) when they are in the tables;
 * a trim frees their space at the next table, too.
 */
const blobBytesMin = 1024;
/** Each open table holds its index and filter in memory; log reads are sequential, so few need be open. */
const openFilesMax = 64;
const recentBytesMax = 16 * 1024 * 1024;
/** Of the log's disk; beyond it what is kept beside trimmed entries is written anew. */
const deadShareMax = 0.25;
const retryMsMin = 100;
const retryMsMax = 5000;

/** Opens the log in a folder. Errors: FLEETLOG_LOCKED, FLEETLOG_CONFIG, FLEETLOG_STORE, _STORE_FULL, _PLATFORM. */
export async function openLog({ path, writeBufferBytes, ...options }: LogFolderOptions): Promise<Log> {
  await mendCurrent(path, options.logger);
  const store = await openLogStore(path, writeBufferBytes).catch((error: unknown) => {
    throw adviceOn(error);
  });
  const mark = await LogMark.open(`${path}.mark`, options.logger);
  try {
    return await logOver(store, { ...options, mark });
  } catch (error) {
    await mark[Symbol.asyncDispose]();
    await store.close();
    throw error;
  }
}

function adviceOn(error: unknown): unknown {
  if (!isFleetlogError(error) || error.code !== 'FLEETLOG_STORE') return error;
  const advice = 'Nothing in it was changed; restore a backup into another folder (fleetlog-cloud restore).';
  return new FleetlogError(error.code, `${error.message} ${advice}`, { cause: error });
}

/** The store that a log is in. Errors: as `openLog`. */
export const openLogStore = (path: string, writeBufferBytes = 32 * 1024 * 1024): Promise<OrderedStore> =>
  openRocksDb({
    path,
    purpose: 'data folder',
    writeBufferBytes,
    blobs: { bytesMin: blobBytesMin, fileBytes: 256 * 1024 * 1024 },
    openFilesMax,
  });

/** A log on an open store, which it closes with itself. */
export async function logOver(
  store: OrderedStore,
  { partitions, logger, clock, mark }: LogOptions,
): Promise<Log> {
  const count = await partitionCountOf(store, partitions);
  const loaded: Partition[] = [];
  for (let partition = 0; partition < count; partition++) loaded.push(await loadPartition(store, partition));
  await goBehindLost(store, loaded, mark?.found ?? [], logger);
  // What a killed process wrote and didn't sync is shown to readers from now on: it must stay.
  await store.sync();
  return new RocksDbLog(store, loaded, logger, clock, mark);
}

class RocksDbLog implements Log, LogRemoval {
  readonly isDense = true;
  readonly checkpoint = (folder: string): Promise<void> => this.store.checkpoint(folder);
  readonly grew = new Signal();
  private writing: Promise<unknown> = Promise.resolve();
  private readonly grown: Signal[];
  private readonly recent: RecentEntries;
  private readonly pages: LogPages;
  private readonly riders: NoteRiders;
  /** Appends of entries that wait or are being written. */
  private appends = 0;
  private readonly closing = new AbortController();
  private closed: Promise<void> | undefined;

  constructor(
    private readonly store: OrderedStore,
    private readonly partitions: Partition[],
    private readonly logger: Logger,
    private readonly clock: Clock,
    private readonly mark: LogMark | undefined,
  ) {
    this.grown = partitions.map(() => new Signal());
    this.pages = new LogPages(store, logger);
    this.riders = new NoteRiders(clock);
    this.recent = new RecentEntries(partitions.length, recentBytesMax);
  }

  get partitionCount(): number {
    return this.partitions.length;
  }

  partitionOf(gateway: string): number {
    return keys.fnv1a(gateway) % this.partitions.length;
  }

  append(entries: readonly LogAppend[], notes: readonly LogNote[] = []): Promise<number[]> {
    if (notes.length > 0 && entries.length === 0 && this.appends > 0) {
      return this.riders.ride(notes, () => this.inTurn(() => this.withRiders([], []))).then(() => []);
    }
    this.appends += Number(entries.length > 0);
    return this.inTurn(() => this.withRiders(entries, notes)).finally(
      () => (this.appends -= Number(entries.length > 0)),
    );
  }

  private async withRiders(entries: readonly LogAppend[], notes: readonly LogNote[]): Promise<number[]> {
    const riders = this.riders.board();
    try {
      const all = [...riders.notes, ...notes];
      const offsets = entries.length + all.length === 0 ? [] : await this.appendNext(entries, all);
      riders.settle();
      return offsets;
    } catch (error) {
      riders.settle(error);
      throw error;
    }
  }

  private async appendNext(entries: readonly LogAppend[], notes: readonly LogNote[]): Promise<number[]> {
    const next = this.partitions.map((partition) => partition.next);
    const lastTimeUs = this.partitions.map((partition) => partition.lastReceiveTimeUs);
    const appended: LogEntry[] = [];
    const operations: StoreOperation[] = [];
    // One copy of all batches: what came from sockets are views into larger buffers, which are let go here.
    let at = 0;
    const values = Buffer.allocUnsafeSlow(
      entries.reduce((sum, { bytes }) => sum + keys.valueBytes(bytes), 0),
    );
    for (const { partition, receiveTimeUs, bytes } of entries) {
      this.checkPartition(partition);
      const offset = next[partition]++;
      // The wall clock may step back; receive times of a partition don't, so that a time can be searched for.
      lastTimeUs[partition] = Math.max(lastTimeUs[partition], receiveTimeUs);
      const value = keys.writeValue(values, at, lastTimeUs[partition], bytes);
      at += value.length;
      operations.push({ type: 'put', key: keys.entryKey(partition, offset), value });
      appended.push(toEntry(partition, offset, value));
    }
    operations.push(...notes.map(notePut));
    await this.store.write(operations);
    for (const [i, partition] of this.partitions.entries()) {
      partition.next = next[i];
      partition.lastReceiveTimeUs = lastTimeUs[i];
    }
    await this.untilDurable();
    if (appended.length > 0) await this.mark?.write(next);
    for (const [i, partition] of this.partitions.entries()) {
      if (partition.durableNext === partition.next) continue;
      partition.durableNext = partition.next;
      this.grown[i].set();
    }
    this.recent.add(appended);
    if (appended.length > 0) this.grew.set();
    return appended.map(({ offset }) => offset);
  }

  async *read(partition: number, offset: number, options: { limit?: number } = {}): AsyncIterable<LogEntry> {
    this.checkPartition(partition);
    const { first, durableNext } = this.partitions[partition];
    const from = Math.max(offset, first);
    const { limit = Infinity } = options;
    const recent = this.recent.from(partition, from);
    if (recent.length > 0) yield* recent.slice(0, limit);
    else for await (const page of this.pages.read(partition, from, durableNext, limit)) yield* page;
  }

  async get(partition: number, offsets: readonly number[]): Promise<(LogEntry | undefined)[]> {
    this.checkPartition(partition);
    const { first, durableNext } = this.partitions[partition];
    const values = await this.store.getMany(offsets.map((offset) => keys.entryKey(partition, offset)));
    return values.map((value, i) => {
      const offset = offsets[i];
      if (!value || offset < first || offset >= durableNext) return undefined;
      return toEntry(partition, offset, value);
    });
  }

  async offsetAt(partition: number, timeUs: number): Promise<number> {
    this.checkPartition(partition);
    let { first: low, durableNext: high } = this.partitions[partition];
    const end = high;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const entry = await this.firstEntry(partition, middle, high);
      if (entry && entry.receiveTimeUs < timeUs) low = entry.offset + 1;
      else high = middle;
    }
    return (await this.firstEntry(partition, low, end))?.offset ?? end;
  }

  /** The first one that is kept in `[from, to)`. */
  private async firstEntry(partition: number, from: number, to: number): Promise<LogEntry | undefined> {
    for await (const [entry] of this.pages.read(partition, from, to, 1)) return entry;
    return undefined;
  }

  trim(partition: number, offset: number): Promise<void> {
    return this.remove(partition, [[0, offset - 1]]);
  }

  get removal(): LogRemoval {
    return this;
  }

  remove(partition: number, ranges: Iterable<OffsetRange>, notes: readonly LogNote[] = []): Promise<void> {
    this.checkPartition(partition);
    return this.inTurn(async () => {
      const state = this.partitions[partition];
      const change = await removalOf(this.store, partition, state, ranges);
      await this.store.write([...change.operations, ...notes.map(notePut)]);
      state.first = change.first;
      this.recent.forget(partition, change.last);
      await this.untilDurable();
    });
  }

  async *removed(partition: number, first: number, last: number): AsyncIterable<OffsetRange> {
    this.checkPartition(partition);
    yield* removedRanges(this.store, partition, first, last);
  }

  async reclaim(liveBytes: number): Promise<void> {
    await this.store.compact();
    const deadShare = 1 - liveBytes / (await this.store.diskBytes());
    if (deadShare > deadShareMax) await this.store.compact({ rewriteShare: Math.min(1, 3 * deadShare) });
  }

  async *follow(partition: number, offset: number, signal: AbortSignal): AsyncIterable<LogEntry> {
    this.checkPartition(partition);
    const state = this.partitions[partition];
    let from = offset;
    while (!signal.aborted) {
      this.checkOpen();
      from = Math.max(from, state.first);
      if (from >= state.durableNext) {
        await this.grown[partition].wait(signal).catch(() => undefined); // the loop looks at the signal
        continue;
      }
      const to = Math.min(state.durableNext, from + pageEntriesMax);
      for await (const page of this.newPages(partition, from, to)) {
        for (const entry of page) {
          if (signal.aborted) return;
          yield entry;
          from = entry.offset + 1;
        }
      }
      from = Math.max(from, to); // the last ones may be damaged
    }
  }

  ends(): PartitionEnds[] {
    return this.partitions.map(({ first, durableNext }, partition) => ({
      partition,
      first,
      next: durableNext,
    }));
  }

  notes(prefix: string): AsyncIterable<LogNote> {
    return notesIn(this.store, prefix);
  }

  note(key: string): Promise<Uint8Array | undefined> {
    return this.store.get(keys.noteKey(key));
  }

  diskBytes(): Promise<number> {
    return this.store.diskBytes();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return (this.closed ??= this.close());
  }

  private async close(): Promise<void> {
    if (this.riders.areWaiting) await this.append([], []).catch(() => undefined); // told to those who ride
    this.closing.abort(new FleetlogError('FLEETLOG_INTERRUPTED', 'The log was closed.'));
    for (const signal of this.grown) signal.set();
    await this.writing;
    await this.mark?.[Symbol.asyncDispose]();
    await this.store.close();
  }

  /** One change at a time, in the order of the calls; a failed one doesn't stop the next. */
  private inTurn<T>(change: () => Promise<T>): Promise<T> {
    const result = this.writing.then(() => {
      this.checkOpen();
      return change();
    });
    this.writing = result.catch(() => undefined);
    return result;
  }

  /**
   * What was written has its offsets and its notes, and can't be taken back. So a barrier that fails is tried again
   * until it works; meanwhile nobody sees the entries, and nobody is told that they are safe.
   */
  private async untilDurable(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.store.sync();
        if (attempt > 1) this.logger.info({ attempt }, 'The log is durable again.');
        return;
      } catch (error) {
        if (this.closing.signal.aborted) throw error;
        const { code, message } = error as FleetlogError;
        this.logger.error({ code, attempt }, `${message} Nothing is acknowledged; trying again.`);
        const backOffMs = Math.min(retryMsMax, retryMsMin * 2 ** (attempt - 1));
        await this.clock.sleep(backOffMs, this.closing.signal).catch(() => undefined);
      }
    }
  }

  private async *newPages(partition: number, from: number, to: number): AsyncIterable<LogEntry[]> {
    const recent = this.recent.from(partition, from);
    if (recent.length > 0) yield recent;
    else yield* this.pages.read(partition, from, to);
  }

  private checkPartition(partition: number): void {
    if (partition in this.partitions) return;
    throw new FleetlogError('FLEETLOG_DEFECT', `The log has no partition ${partition}.`);
  }

  private checkOpen(): void {
    this.closing.signal.throwIfAborted();
  }
}

const notePut = ({ key, value }: LogNote): StoreOperation => ({ type: 'put', key: keys.noteKey(key), value });
