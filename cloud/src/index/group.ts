import {
  decodeBatch,
  decodeEvents,
  decodeGap,
  readClockPoint,
  type Batch,
  type BatchHeader,
  type ClockPoint,
} from '@fleetlog/shared/batch';
import { readCanIds } from '@fleetlog/shared/can';
import { FleetlogError, isDataError } from '@fleetlog/shared/errors';
import type { OrderedStore, StoreOperation } from '@fleetlog/shared/store';
import type { LogEntry } from '../log/log.js';
import { extendBoot, newBootRecord, type BootRecord } from './boot-record.js';
import type { BootRecords } from './boot-records.js';
import { encodeArrival } from './arrivals.js';
import { encodeChanges, type MinuteChanges } from './changes.js';
import { encodeFacts } from './facts.js';
import { encodeJson } from './json-value.js';
import {
  arrivalKey,
  batchKey,
  bootKey,
  epochKey,
  gapKey,
  pointKey,
  segmentKey,
  TIME_LIMIT_US,
} from './keys.js';
import { segmentOf, segmentsMax, widen, type Segment } from './segments.js';
import type { StreamCache, StreamState } from './stream-cache.js';
import { StreamDetails } from './stream-details.js';
import { summarize } from './summary.js';
import type { GapRecord } from './types.js';

/**
 * The changes that a run of log entries makes to the index, gathered to be written at once. Nothing that outlives the
 * group changes before `commit`, so a write that fails leaves no trace.
 */
export class IndexGroup {
  readonly operations: StoreOperation[] = [];
  private readonly streams = new Map<string, StreamState>();
  private readonly segments = new Map<Segment, Uint8Array>();
  private readonly boots = new Map<string, TouchedBoot>();
  /** As they were before this group; undefined for those that the store doesn't have. */
  private readonly storedBoots = new Map<string, BootRecord | undefined>();
  private readonly changes = new Map<Uint8Array, MinuteChanges>();

  constructor(
    private readonly cache: StreamCache,
    private readonly bootRecords: BootRecords,
  ) {}

  /** Reads at once what batches with these headers will ask for one by one. Errors: those of the store. */
  async prepare(headers: readonly BatchHeader[]): Promise<void> {
    const streams = new Map(headers.map((header) => [`${header.gateway}/${header.stream}`, header]));
    const stamped = headers.filter(({ clock }) => clock.stamped);
    const boots = new Map(stamped.map((header) => [`${header.gateway}/${header.boot}`, header]));
    await Promise.all([
      ...Array.from(streams.values(), ({ gateway, stream }) => this.stateOf(gateway, stream)),
      ...Array.from(boots, async ([name, { gateway, boot }]) =>
        this.storedBoots.set(name, await this.bootRecords.record(gateway, boot)),
      ),
    ]);
  }

  /** Errors: those of the store. */
  async add(entry: LogEntry, { header, gap, points, ids }: ReadEntry): Promise<void> {
    const { gateway, stream } = header;
    const state = await this.stateOf(gateway, stream);
    const epochOrder = state.epochOrders.get(header.epoch) ?? (await this.rankEpoch(state, header.epoch));
    summarize(state.summary, header, entry);
    const arrive = (segment: number): void => {
      const key = arrivalKey(gateway, stream, entry.offset);
      this.operations.push(put(key, encodeArrival(header, entry, epochOrder, segment)));
    };
    if (gap) {
      this.operations.push(put(gapKey(gateway, stream, header.epoch, header.sequence), encodeJson(gap)));
      if (gap.cause !== 'thinned') {
        arrive(0);
        return;
      }
    }
    const segment = await this.segmentFor(state, header);
    arrive(segment.segment);
    const key = batchKey(state.batchPrefix, segment.segment, header.firstTimeUs, epochOrder, header.sequence);
    const details = new StreamDetails(state, this.cache, this.operations);
    const context = await details.contextFor(header, entry.partition);
    const idSet = ids ? await details.idSetFor(ids) : 0;
    this.operations.push(put(key, encodeFacts(header, entry, context, idSet)));
    for (const { key: minute, ...counts } of await details.countChanges(segment.segment, header)) {
      this.changes.set(minute, counts);
    }
    if (segment.boot !== '') await this.addToBoot(header, entry, epochOrder, points);
  }

  /** Writes everything together with `more`. */
  async commit(store: OrderedStore, more: StoreOperation): Promise<void> {
    for (const { summaryKey, summary } of this.streams.values()) {
      this.operations.push(put(summaryKey, encodeJson(summary)));
    }
    for (const [segment, key] of this.segments) this.operations.push(put(key, encodeJson(segment)));
    for (const [key, counts] of this.changes) this.operations.push(put(key, encodeChanges(counts)));
    for (const { key, record } of this.boots.values()) this.operations.push(put(key, encodeJson(record)));
    await store.write([...this.operations, more]);
    for (const state of this.streams.values()) this.cache.keep(state);
    for (const { gateway, changed, record } of this.boots.values()) {
      this.bootRecords.touched(gateway, changed, record);
    }
  }

  private async stateOf(gateway: string, stream: string): Promise<StreamState> {
    const name = `${gateway}/${stream}`;
    let state = this.streams.get(name);
    if (!state) this.streams.set(name, (state = await this.cache.load(gateway, stream)));
    return state;
  }

  private async segmentFor(state: StreamState, header: BatchHeader): Promise<Segment> {
    const { gateway, stream } = header;
    const asIs = { boot: '', wallOffsetUs: 0 };
    let place = segmentOf(header);
    let segment = await this.knownSegment(state, place);
    if (!segment && state.summary.segments >= segmentsMax) {
      place = asIs;
      segment = await this.knownSegment(state, place);
    }
    if (!segment) {
      const { firstTimeUs, lastTimeUs } = header;
      segment = { segment: state.summary.segments++, ...place, firstTimeUs, lastTimeUs, longestUs: 0 };
    }
    widen(segment, header);
    const { boot, wallOffsetUs } = place;
    state.segments.set(`${boot}/${wallOffsetUs}`, segment);
    this.segments.set(segment, segmentKey(gateway, stream, boot, wallOffsetUs));
    return segment;
  }

  private async knownSegment(
    state: StreamState,
    place: Pick<Segment, 'boot' | 'wallOffsetUs'>,
  ): Promise<Segment | undefined> {
    const { gateway, stream, segments } = state.summary;
    const known = state.segments.get(`${place.boot}/${place.wallOffsetUs}`);
    if (known || state.segments.size >= segments) return known;
    return this.cache.storedSegment(gateway, stream, place);
  }

  private async addToBoot(
    header: BatchHeader,
    entry: LogEntry,
    epochOrder: number,
    points: readonly ClockPoint[],
  ): Promise<void> {
    const { gateway, boot } = header;
    const key = bootKey(gateway, boot);
    let touched = this.boots.get(`${gateway}/${boot}`);
    if (!touched) {
      const name = `${gateway}/${boot}`;
      const stored = this.storedBoots.has(name)
        ? this.storedBoots.get(name)
        : await this.bootRecords.record(gateway, boot);
      const record = stored ?? newBootRecord(header, entry.receiveTimeUs);
      touched = { gateway, key, record, changed: !stored };
      this.boots.set(`${gateway}/${boot}`, touched);
    }
    const { record } = touched;
    const before = { ...record };
    extendBoot(record, header, header.kind === 'events' ? epochOrder : undefined);
    touched.changed ||=
      points.length > 0 ||
      record.header.state !== before.header.state ||
      record.header.wallOffsetUs !== before.header.wallOffsetUs ||
      record.firstUs !== before.firstUs ||
      record.epochOrder !== before.epochOrder ||
      record.firstSequence !== before.firstSequence;
    for (const point of points) {
      this.operations.push(put(pointKey(gateway, boot, point.monotonicUs), encodeJson(point)));
    }
  }

  private async rankEpoch(state: StreamState, epoch: string): Promise<number> {
    const { gateway, stream } = state.summary;
    const hasOthers = state.epochOrders.size < state.summary.epochs;
    let order = hasOthers ? await this.cache.storedOrder(gateway, stream, epoch) : undefined;
    if (order === undefined) {
      order = state.summary.epochs++;
      this.operations.push(put(epochKey(gateway, stream, epoch), encodeJson({ order })));
    }
    state.epochOrders.set(epoch, order);
    return order;
  }
}

/** A boot that the group adds to. */
interface TouchedBoot {
  gateway: string;
  key: Uint8Array;
  record: BootRecord;
  /** More than its length. */
  changed: boolean;
}

export const put = (key: Uint8Array, value: Uint8Array): StoreOperation => ({ type: 'put', key, value });

/** What the index wants to know of an entry of the log. */
export interface ReadEntry {
  header: BatchHeader;
  /** Where it is a gap record, or a thinned batch. */
  gap: GapRecord | undefined;
  /** What clock events say. */
  points: readonly ClockPoint[];
  /** Different identifiers of CAN frames; undefined for other kinds. */
  ids: Uint32Array | undefined;
}

/** Errors: those of data. */
export function readEntry({ bytes }: LogEntry): ReadEntry {
  const batch = decodeBatch(bytes);
  const { header } = batch;
  if (Math.max(Math.abs(header.firstTimeUs), Math.abs(header.lastTimeUs)) > TIME_LIMIT_US) {
    throw new FleetlogError('FLEETLOG_BATCH_LIMIT', "The batch's event times are centuries away.");
  }
  return {
    header,
    gap: gapRecord(batch),
    points: header.codec === 'events-1' && header.stream === eventsStream ? clockPoints(batch) : [],
    ids: header.codec === 'can-1' ? idsOf(batch) : undefined,
  };
}

/** A batch whose identifiers don't read is opened by whoever wants any. */
function idsOf(batch: Batch): Uint32Array | undefined {
  try {
    return readCanIds(batch);
  } catch (error) {
    if (!isDataError(error)) throw error;
    return undefined;
  }
}

/** The stream in which gateways tell of themselves. */
const eventsStream = 'events';

/** Events that don't read are still there to be exported, with their complaint. */
function clockPoints(batch: Batch): ClockPoint[] {
  try {
    return decodeEvents(batch).flatMap((event) => readClockPoint(event) ?? []);
  } catch (error) {
    if (!isDataError(error)) throw error;
    return [];
  }
}

/** Undefined where nothing is missing. */
function gapRecord(batch: Batch): GapRecord | undefined {
  const { gateway, stream, epoch, sequence: first, lastSequence: last, ...header } = batch.header;
  const place = { gateway, stream, epoch, first, last };
  if (header.codec === 'gap-1') {
    const { recordCount: records, firstTimeUs, lastTimeUs } = header;
    return { ...place, ...decodeGap(batch), records, firstTimeUs, lastTimeUs };
  }
  if (!header.thinned) return undefined;
  const { keepEachNth, ...missing } = header.thinned;
  const detail = `The buffer was full: of each identifier or row one in ${keepEachNth} was kept.`;
  return { ...place, cause: 'thinned', detail, ...missing };
}
