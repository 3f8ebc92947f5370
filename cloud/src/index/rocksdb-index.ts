import { randomBytes } from 'node:crypto';
import { FleetlogError } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import {
  openRocksDb,
  prefixRange,
  storePages,
  type KeyRange,
  type OrderedStore,
  type StoreEntry,
} from '@fleetlog/shared/store';
import type { Clock } from '@fleetlog/shared/util';
import { clockStates, type BatchHeader, type ClockState } from '@fleetlog/shared/batch';
import type { Log } from '../log/log.js';
import { withoutSkipped } from '../log/restored.js';
import type { CorrectedBoot } from '../time/boots.js';
import { TimeCorrection, type TimesName } from '../time/correction.js';
import { readArrivals } from './arrivals.js';
import { isOf, type Checkpoint } from './checkpoint.js';
import type { BatchContext } from './contexts.js';
import { decodeFacts, type NumberedContext } from './facts.js';
import { decodeIdSet } from './id-sets.js';
import { put } from './group.js';
import { IndexFollower, type IndexWriter } from './follower.js';
import { pagesOf } from './log-pages.js';
import { decodeJson, encodeJson } from './json-value.js';
import { everyMinute, minuteUs } from './changes.js';
import { minuteRevisions, originalRange, type SegmentChanges } from './revisions.js';
import {
  arrivalKey,
  batchKeys,
  epochOf,
  changesKey,
  checkpointKey,
  filteredKeys,
  formatKey,
  streamPrefix,
} from './keys.js';
import type { OnBootTouched } from './boot-records.js';
import { BootTimelines } from './boot-timelines.js';
import { loadTrim } from './trim-note.js';
import { isEmpty } from './summary.js';
import type { Segment } from './segments.js';
import { indexStoreOptions } from './store-options.js';
import { mergeLanes, type Lane } from './lanes.js';
import type {
  Arrival,
  BatchFacts,
  BatchRange,
  GapRecord,
  Index,
  IndexTrim,
  StreamFilter,
  StreamSummary,
  StreamTimes,
} from './types.js';

export interface IndexOptions {
  log: Log;
  logger: Logger;
  clock: Clock;
  /** Entries written at once, at most. */
  groupEntriesMax?: number;
}

/** What reading needs of the store, which may be in another thread. */
export type IndexStore = Pick<OrderedStore, 'get' | 'getMany' | 'entries' | 'write' | 'diskBytes' | 'close'>;

/** Begins to write an index from these checkpoints on. */
type StartWriter = (
  checkpoints: readonly Checkpoint[],
  onBootTouched: OnBootTouched,
) => IndexWriter | Promise<IndexWriter>;

/** Changes with the layout of keys and values; an index of another one is built anew. */
const formatVersion = 7;
/** Entries read at once; no read stays open between pages, so a slow reader holds nothing. */
const pageEntries = 256;
const batchesPerPage = 512;
const roundingUs = 4;

/**
 * Opens the index in a folder of its own and starts to follow the log. Where the folder is missing, or was made for
 * another log, the index is built anew. Errors: FLEETLOG_LOCKED, FLEETLOG_STORE…, as `openRocksDb`.
 */
export async function openIndex({ path, ...options }: IndexOptions & { path: string }): Promise<Index> {
  const store = await openRocksDb(indexStoreOptions(path));
  try {
    return await indexOver(store, options);
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** An index on an open store, which it closes with itself. */
export function indexOver(store: OrderedStore, options: IndexOptions): Promise<Index> {
  const { log, logger, clock, groupEntriesMax } = options;
  const parts = { store, pages: pagesOf(log, groupEntriesMax), logger, clock };
  return indexWith(
    store,
    options,
    (checkpoints, onBootTouched) => new IndexFollower(checkpoints, { ...parts, onBootTouched }),
  );
}

export async function indexWith(
  store: IndexStore,
  { log, logger, clock }: IndexOptions,
  start: StartWriter,
): Promise<Index> {
  const checkpoints = await loadCheckpoints(store, log, logger);
  const { id } = decodeJson<Format>((await store.get(formatKey))!);
  const timelines = new BootTimelines(store, clock);
  const writer = await start(checkpoints, (gateway, changed) => timelines.touched(gateway, changed));
  const index = new RocksDbIndex(id, { store, log, timelines, writer });
  for (const [partition, { trims }] of checkpoints.entries()) {
    const last = await loadTrim(log, partition);
    if (last && last.number > trims) await index.trim(partition, last);
  }
  return index;
}

/** Value of the format's key. */
interface Format {
  version: number;
  /** Random. */
  id: string;
}

/** By partition. An index that isn't one of this log is emptied. */
async function loadCheckpoints(store: IndexStore, log: Log, logger: Logger): Promise<Checkpoint[]> {
  const stored = await store.get(formatKey);
  const isOfFormat = stored !== undefined && decodeJson<Format>(stored).version === formatVersion;
  const checkpoints: Checkpoint[] = [];
  let stale = isOfFormat ? undefined : 'it has another format';
  for (const { partition, next } of log.ends()) {
    const value = await store.get(checkpointKey(partition));
    const trims = (await loadTrim(log, partition))?.number ?? 0;
    const checkpoint = value ? decodeJson<Checkpoint>(value) : { ...beginning, trims };
    checkpoints[partition] = checkpoint;
    // What isn't followed is tried once more; of earlier ones nobody knows any more what they were.
    if (trims - checkpoint.trims > 1) stale ??= 'it has missed what was trimmed';
    if (checkpoint.next === 0 || stale) continue;
    const [entry] = checkpoint.next > next ? [] : await log.get(partition, [checkpoint.next - 1]);
    // An entry that was trimmed can't be compared.
    if (!entry && (await isLost(log, partition, checkpoint.next - 1)))
      stale = 'the log has lost what it names';
    if (checkpoint.next > next || (entry && !isOf(entry, checkpoint.last))) stale = 'it is of another log';
  }
  if (!stale) return checkpoints;
  if (stored) logger.warn({ reason: stale }, 'the index is built anew');
  const everything = { gte: Uint8Array.of(0), lt: Uint8Array.of(0xff) };
  await store.write([
    { type: 'delete-range', ...everything },
    put(
      formatKey,
      encodeJson({ version: formatVersion, id: randomBytes(8).toString('hex') } satisfies Format),
    ),
  ]);
  for (const partition of checkpoints.keys()) {
    checkpoints[partition] = { ...beginning, trims: (await loadTrim(log, partition))?.number ?? 0 };
  }
  return checkpoints;
}

/** Neither there nor trimmed. */
async function isLost(log: Log, partition: number, offset: number): Promise<boolean> {
  if (!log.isDense || offset < log.ends()[partition].first) return false;
  const removed = log.removal?.removed(partition, offset, offset)[Symbol.asyncIterator]();
  return removed === undefined || (await removed.next()).done === true;
}

const beginning = { next: 0, skipped: 0 };

class RocksDbIndex implements Index {
  private readonly stopping = new AbortController();
  private closing: Promise<void> | undefined;

  constructor(
    readonly id: string,
    private readonly parts: { store: IndexStore; log: Log; timelines: BootTimelines; writer: IndexWriter },
  ) {}

  async *streams(filter: StreamFilter = {}): AsyncIterable<StreamSummary> {
    for await (const { value } of this.pages(filteredKeys('s', filter))) {
      const summary = decodeJson<StreamSummary>(value);
      if (isEmpty(summary)) continue;
      if (filter.stream === undefined || filter.stream === summary.stream) yield summary;
    }
  }

  async stream(gateway: string, stream: string): Promise<StreamSummary | undefined> {
    const value = await this.parts.store.get(streamPrefix('s', gateway, stream));
    const summary = value && decodeJson<StreamSummary>(value);
    return summary && !isEmpty(summary) ? summary : undefined;
  }

  async *gaps(filter: StreamFilter = {}): AsyncIterable<GapRecord> {
    for await (const { value } of this.pages(filteredKeys('g', filter))) {
      const gap = decodeJson<GapRecord>(value);
      if (filter.stream === undefined || filter.stream === gap.stream) yield gap;
    }
  }

  batches(range: BatchRange): AsyncIterable<BatchFacts> {
    return mergeLanes(this.lanes(range));
  }

  private async lanes(range: BatchRange): Promise<Lane[]> {
    const { gateway, stream, fromUs, toUs, times = 'original' } = range;
    const lanes: Lane[] = [];
    const open = await this.opener(range);
    for (const { segment, correction } of await this.segments(gateway, stream, times)) {
      const timeOf = (timeUs: number): number => correction?.correctedUs(timeUs) ?? timeUs;
      const startUs = timeOf(segment.firstTimeUs);
      if (startUs >= toUs || timeOf(segment.lastTimeUs) < fromUs) continue;
      lanes.push({
        startUs: Math.max(startUs, fromUs - segment.longestUs),
        pages: this.segmentBatches(range, segment, correction, open),
      });
    }
    return lanes;
  }

  async times(gateway: string, stream: string, times: TimesName): Promise<StreamTimes | undefined> {
    let all: StreamTimes | undefined;
    for (const { segment, correction } of await this.segments(gateway, stream, times)) {
      const { firstTimeUs, lastTimeUs } = segment;
      const firstUs = correction?.correctedUs(firstTimeUs) ?? firstTimeUs;
      const lastUs = correction?.correctedUs(lastTimeUs) ?? lastTimeUs;
      all = {
        firstTimeUs: Math.min(firstUs, all?.firstTimeUs ?? Infinity),
        lastTimeUs: Math.max(lastUs, all?.lastTimeUs ?? -Infinity),
        clock: worse(correction?.state, all?.clock),
      };
    }
    return all;
  }

  async boots(gateway: string): Promise<CorrectedBoot[]> {
    return [...(await this.parts.timelines.corrected(gateway)).values()];
  }

  async correction({ gateway, boot, clock }: BatchHeader): Promise<TimeCorrection | undefined> {
    if (!clock.stamped) return undefined;
    const known = (await this.parts.timelines.corrected(gateway)).get(boot);
    return known && new TimeCorrection(known.timeline, clock.wallOffsetUs);
  }

  async revisions({ gateway, stream, fromUs, toUs }: BatchRange): Promise<Float64Array> {
    const found: SegmentChanges[] = [];
    for (const { segment, correction } of await this.segments(gateway, stream, 'corrected')) {
      const range = originalRange(correction, fromUs, toUs);
      if (range.fromUs > segment.lastTimeUs || range.toUs < segment.firstTimeUs) continue;
      const entries: StoreEntry[] = [];
      const everywhere = changesKey(gateway, stream, segment.segment, everyMinute * minuteUs);
      const value = await this.parts.store.get(everywhere);
      if (value) entries.push({ key: everywhere, value });
      const gte = changesKey(gateway, stream, segment.segment, floorMinute(range.fromUs));
      const lt = changesKey(gateway, stream, segment.segment, floorMinute(range.toUs) + minuteUs);
      for await (const entry of this.pages({ gte, lt })) entries.push(entry);
      found.push({ segment, correction, entries });
    }
    return minuteRevisions(found, fromUs, Math.round((toUs - fromUs) / minuteUs));
  }

  async *arrivals(gateway: string, stream: string, offset = 0): AsyncIterable<Arrival> {
    const segments = new Map(
      (await this.segments(gateway, stream, 'corrected')).map((one) => [one.segment.segment, one]),
    );
    const epochs = await this.epochs(gateway, stream);
    const partition = this.parts.log.partitionOf(gateway);
    const { lt } = filteredKeys('a', { gateway, stream });
    const range = { gte: arrivalKey(gateway, stream, offset), lt };
    for await (const page of storePages(this.parts.store, range, { limit: pageEntries })) {
      for (const indexed of await readArrivals(this.parts.store, { gateway, stream }, page)) {
        const { sequence: first, lastSequence: last, epochOrder, ...arrival } = indexed;
        const { isGap, firstTimeUs, lastTimeUs, segment, ...facts } = arrival;
        const correction = isGap ? undefined : segments.get(segment)?.correction;
        const timeOf = (timeUs: number): number => correction?.correctedUs(timeUs) ?? timeUs;
        yield {
          gateway,
          stream,
          partition,
          ...facts,
          isGap,
          epoch: epochs.get(epochOrder) ?? '',
          first,
          last,
          originalUs: [firstTimeUs, lastTimeUs],
          correctedUs: [timeOf(firstTimeUs), timeOf(lastTimeUs)],
        };
      }
    }
  }

  trim(partition: number, trim: IndexTrim): Promise<void> {
    return this.parts.writer.trim(partition, trim);
  }

  private async epochs(gateway: string, stream: string): Promise<Map<number, string>> {
    const prefix = streamPrefix('e', gateway, stream);
    const epochs = new Map<number, string>();
    for await (const { key, value } of this.pages(prefixRange(prefix))) {
      epochs.set(decodeJson<{ order: number }>(value).order, epochOf(key, prefix));
    }
    return epochs;
  }

  lag(): number {
    let batches = 0;
    for (const { partition, next } of this.parts.log.ends())
      batches += withoutSkipped(Math.max(0, next - this.at(partition)));
    return batches;
  }

  skipped(): number {
    return this.parts.writer.checkpoints.reduce((sum, { skipped }) => sum + skipped, 0);
  }

  async caughtUp(signal: AbortSignal): Promise<void> {
    const ends = this.parts.log.ends();
    const stopped = AbortSignal.any([signal, this.stopping.signal]);
    while (ends.some(({ partition, next }) => this.at(partition) < next))
      await this.parts.writer.progress.wait(stopped);
  }

  diskBytes(): Promise<number> {
    return this.parts.store.diskBytes();
  }

  close(): Promise<void> {
    return (this.closing ??= this.closeOnce());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async closeOnce(): Promise<void> {
    this.stopping.abort(new FleetlogError('FLEETLOG_INTERRUPTED', 'The index was closed.'));
    await this.parts.writer.stop();
    await this.parts.store.close();
  }

  private async segments(
    gateway: string,
    stream: string,
    times: TimesName,
  ): Promise<{ segment: Segment; correction: TimeCorrection | undefined }[]> {
    const segments: Segment[] = [];
    for await (const { value } of this.pages(filteredKeys('t', { gateway, stream }))) {
      segments.push(decodeJson<Segment>(value));
    }
    const isCorrected = times === 'corrected' && segments.some(({ boot }) => boot !== '');
    const boots = isCorrected ? await this.parts.timelines.corrected(gateway) : undefined;
    return segments.map((segment) => {
      const boot = boots?.get(segment.boot);
      return { segment, correction: boot && new TimeCorrection(boot.timeline, segment.wallOffsetUs) };
    });
  }

  private async *segmentBatches(
    { gateway, stream, fromUs, toUs }: BatchRange,
    { segment, longestUs }: Segment,
    correction: TimeCorrection | undefined,
    open: (entry: StoreEntry) => BatchFacts | undefined,
  ): AsyncGenerator<BatchFacts[]> {
    // Corrected ranges are some µs wider, for what rounding does; what lies outside is left out below.
    const first = correction ? correction.originalUs(fromUs) - roundingUs : fromUs;
    const end = correction ? correction.originalUs(toUs) + roundingUs : toUs;
    const keys = batchKeys(gateway, stream, segment, first - longestUs, end);
    for await (const page of storePages(this.parts.store, keys, { limit: batchesPerPage })) {
      const found: BatchFacts[] = [];
      for (const entry of page) {
        const facts = open(entry);
        if (!facts) continue;
        if (correction) {
          facts.correction = correction;
          facts.firstTimeUs = correction.correctedUs(facts.firstTimeUs);
          facts.lastTimeUs = correction.correctedUs(facts.lastTimeUs);
        }
        if (facts.lastTimeUs >= fromUs && facts.firstTimeUs < toUs) found.push(facts);
      }
      if (found.length > 0) yield found;
    }
  }

  /** Reads entries of batches; undefined for those in which nothing is wanted. */
  private async opener({
    gateway,
    stream,
    wants,
  }: BatchRange): Promise<(entry: StoreEntry) => BatchFacts | undefined> {
    const contexts = new Map<number, BatchContext>();
    for await (const { value } of this.pages(filteredKeys('x', { gateway, stream }))) {
      const { number, ...context } = decodeJson<NumberedContext>(value);
      contexts.set(number, context);
    }
    const useless = new Set<number>();
    if (wants) {
      for await (const { value } of this.pages(filteredKeys('i', { gateway, stream }))) {
        const { number, ids } = decodeIdSet(value);
        if (!ids.some((id) => wants(id))) useless.add(number);
      }
    }
    const opens = (idSet: number): boolean => !useless.has(idSet);
    return ({ key, value }) => decodeFacts(key, value, contexts, opens);
  }

  private at(partition: number): number {
    return this.parts.writer.checkpoints[partition].next;
  }

  private async *pages(range: KeyRange): AsyncIterable<StoreEntry> {
    for await (const page of storePages(this.parts.store, range, { limit: pageEntries })) yield* page;
  }
}

const floorMinute = (timeUs: number): number => Math.floor(timeUs / minuteUs) * minuteUs;

function worse(a: ClockState | undefined, b: ClockState | undefined): ClockState | undefined {
  return clockStates.find((state) => state === a || state === b);
}
