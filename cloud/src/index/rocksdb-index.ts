import { FleetlogError } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import { openRocksDb, type KeyRange, type OrderedStore, type StoreEntry } from '@fleetlog/shared/store';
import { Signal, type Clock } from '@fleetlog/shared/util';
import type { Log } from '../log/log.js';
import { isOf, type Checkpoint } from './checkpoint.js';
import { decodeFacts } from './facts.js';
import { put } from './group.js';
import { PartitionIndexer } from './indexer.js';
import { decodeJson, encodeJson } from './json-value.js';
import { batchKeys, checkpointKey, filteredKeys, formatKey, streamPrefix } from './keys.js';
import { StreamCache } from './stream-cache.js';
import type { BatchFacts, BatchRange, GapRecord, Index, StreamFilter, StreamSummary } from './types.js';

export interface IndexOptions {
  log: Log;
  logger: Logger;
  clock: Clock;
  /** Entries written at once, at most. */
  groupEntriesMax?: number;
}

/** Changes with the layout of keys and values; an index of another one is built anew. */
const formatVersion = 1;
const syncEveryMs = 5000;
/** Entries read at once; no read stays open between pages, so a slow reader holds nothing. */
const pageEntries = 256;

/**
 * Opens the index in a folder of its own and starts to follow the log. Where the folder is missing, or was made for
 * another log, the index is built anew. Errors: FLEETLOG_LOCKED, FLEETLOG_STORE…, as `openRocksDb`.
 */
export async function openIndex({ path, ...options }: IndexOptions & { path: string }): Promise<Index> {
  const store = await openRocksDb({ path, purpose: 'index folder', writeBufferBytes: 16 * 1024 * 1024 });
  try {
    return await indexOver(store, options);
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** An index on an open store, which it closes with itself. */
export async function indexOver(store: OrderedStore, options: IndexOptions): Promise<Index> {
  return new RocksDbIndex(store, await loadCheckpoints(store, options.log, options.logger), options);
}

/** By partition. An index that isn't one of this log is emptied. */
async function loadCheckpoints(store: OrderedStore, log: Log, logger: Logger): Promise<Checkpoint[]> {
  const stored = await store.get(formatKey);
  const isOfFormat =
    stored !== undefined && decodeJson<{ version: number }>(stored).version === formatVersion;
  const checkpoints: Checkpoint[] = [];
  let stale = isOfFormat ? undefined : 'it has another format';
  for (const { partition, next } of log.ends()) {
    const value = await store.get(checkpointKey(partition));
    const checkpoint = value ? decodeJson<Checkpoint>(value) : { next: 0, skipped: 0 };
    checkpoints[partition] = checkpoint;
    if (checkpoint.next === 0 || stale) continue;
    const [entry] = checkpoint.next > next ? [] : await log.get(partition, [checkpoint.next - 1]);
    // An entry that was trimmed can't be compared.
    if (checkpoint.next > next || (entry && !isOf(entry, checkpoint.last))) stale = 'it is of another log';
  }
  if (!stale) return checkpoints;
  if (stored) logger.warn({ reason: stale }, 'the index is built anew');
  const everything = { gte: Uint8Array.of(0), lt: Uint8Array.of(0xff) };
  await store.write([
    { type: 'delete-range', ...everything },
    put(formatKey, encodeJson({ version: formatVersion })),
  ]);
  return checkpoints.map(() => ({ next: 0, skipped: 0 }));
}

class RocksDbIndex implements Index {
  private readonly stopping = new AbortController();
  private readonly progress = new Signal();
  private readonly indexers: PartitionIndexer[];
  private readonly running: Promise<unknown>;
  private closing: Promise<void> | undefined;

  constructor(
    private readonly store: OrderedStore,
    checkpoints: readonly Checkpoint[],
    private readonly options: IndexOptions,
  ) {
    const parts = { ...options, store, cache: new StreamCache(store), progress: this.progress };
    const { signal } = this.stopping;
    this.indexers = checkpoints.map((at, partition) => new PartitionIndexer(partition, at, parts));
    this.running = Promise.all([
      ...this.indexers.map((indexer) => indexer.run(signal)),
      this.syncNowAndThen(),
    ]);
  }

  async *streams(filter: StreamFilter = {}): AsyncIterable<StreamSummary> {
    for await (const { value } of this.pages(filteredKeys('s', filter))) {
      const summary = decodeJson<StreamSummary>(value);
      if (filter.stream === undefined || filter.stream === summary.stream) yield summary;
    }
  }

  async stream(gateway: string, stream: string): Promise<StreamSummary | undefined> {
    const value = await this.store.get(streamPrefix('s', gateway, stream));
    return value && decodeJson<StreamSummary>(value);
  }

  async *gaps(filter: StreamFilter = {}): AsyncIterable<GapRecord> {
    for await (const { value } of this.pages(filteredKeys('g', filter))) {
      const gap = decodeJson<GapRecord>(value);
      if (filter.stream === undefined || filter.stream === gap.stream) yield gap;
    }
  }

  async *batches({ gateway, stream, fromUs, toUs }: BatchRange): AsyncIterable<BatchFacts> {
    const { longestUs } = (await this.stream(gateway, stream)) ?? { longestUs: 0 };
    for await (const { key, value } of this.pages(batchKeys(gateway, stream, fromUs - longestUs, toUs))) {
      const facts = decodeFacts(key, value);
      if (facts.lastTimeUs >= fromUs) yield facts;
    }
  }

  lag(): number {
    let batches = 0;
    for (const { partition, next } of this.options.log.ends())
      batches += Math.max(0, next - this.at(partition));
    return batches;
  }

  skipped(): number {
    return this.indexers.reduce((sum, { checkpoint }) => sum + checkpoint.skipped, 0);
  }

  async caughtUp(signal: AbortSignal): Promise<void> {
    const ends = this.options.log.ends();
    const stopped = AbortSignal.any([signal, this.stopping.signal]);
    while (ends.some(({ partition, next }) => this.at(partition) < next)) await this.progress.wait(stopped);
  }

  diskBytes(): Promise<number> {
    return this.store.diskBytes();
  }

  close(): Promise<void> {
    return (this.closing ??= this.closeOnce());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async closeOnce(): Promise<void> {
    this.stopping.abort(new FleetlogError('FLEETLOG_INTERRUPTED', 'The index was closed.'));
    await this.running;
    await this.store.close();
  }

  private at(partition: number): number {
    return this.indexers[partition].checkpoint.next;
  }

  private async *pages(range: KeyRange): AsyncIterable<StoreEntry> {
    let { gte } = range;
    for (;;) {
      const page: StoreEntry[] = [];
      const options = { limit: pageEntries, prefetch: pageEntries };
      for await (const entry of this.store.entries({ gte, lt: range.lt }, options)) page.push(entry);
      yield* page;
      if (page.length < pageEntries) return;
      gte = Buffer.concat([page[page.length - 1].key, Uint8Array.of(0)]);
    }
  }

  /** Without it a loss of power costs the work of indexing since the last table file, nothing else. */
  private async syncNowAndThen(): Promise<void> {
    const { clock, logger } = this.options;
    const { signal } = this.stopping;
    while (!signal.aborted) {
      await clock.sleep(syncEveryMs, signal).catch(() => {}); // the loop looks at the signal
      await this.store.sync().catch((error: unknown) => logger.warn({ error }, 'the index was not synced'));
    }
  }
}
