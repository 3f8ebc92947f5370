import {
  prefixRange,
  readTime,
  storePages,
  type OrderedStore,
  type StoreOperation,
} from '@fleetlog/shared/store';
import { readArrivals, type IndexedArrival } from './arrivals.js';
import type { BootRecord } from './boot-record.js';
import type { BootRecords } from './boot-records.js';
import { encodeChanges, minutesOf, minuteUs } from './changes.js';
import { lengthsOf } from './facts.js';
import { put } from './group.js';
import { decodeJson, encodeJson } from './json-value.js';
import * as keys from './keys.js';
import type { Segment } from './segments.js';
import type { KeyedChanges, StreamCache, StreamState } from './stream-cache.js';

const pageEntries = 256;

/**
 * What the index loses where the log was trimmed, gathered to be written at once: afterwards it is as if these batches
 * had never come. What a stream's batches refer to by number stays, and boots stay as wide as they were seen.
 */
export class TrimGroup {
  private readonly operations: StoreOperation[] = [];
  private readonly states: StreamState[] = [];
  private readonly boots = new Map<string, { gateway: string; record: BootRecord }>();

  constructor(
    private readonly store: OrderedStore,
    private readonly cache: StreamCache,
    private readonly bootRecords: BootRecords,
  ) {}

  /** Each stream once. What the index doesn't have (any more) is left out. Errors: those of the store. */
  async remove(gateway: string, stream: string, offsets: readonly number[]): Promise<void> {
    const arrivals = await this.arrivals(gateway, stream, offsets);
    const state = await this.cache.load(gateway, stream);
    const segments = await this.segments(gateway, stream);
    const changes = new Map<string, KeyedChanges | undefined>();
    const gone = new Map<number, IndexedArrival[]>();
    const epochs = await this.epochs(gateway, stream);
    for (const arrival of arrivals) {
      this.forget(keys.arrivalKey(gateway, stream, arrival.offset));
      const { isGap, isThinned, segment, firstTimeUs, epochOrder, sequence, bytes, records } = arrival;
      const epoch = epochs.get(epochOrder);
      if ((isGap || isThinned) && epoch !== undefined) {
        this.forget(keys.gapKey(gateway, stream, epoch, sequence));
      }
      if (isGap) {
        state.summary.gaps--;
        continue;
      }
      this.forget(keys.batchKey(state.batchPrefix, segment, firstTimeUs, epochOrder, sequence));
      state.summary.batches--;
      state.summary.records -= records;
      state.summary.bytes -= bytes;
      state.summary.trimmed++;
      await this.countChanges(gateway, stream, arrival, changes);
      const own = gone.get(segment);
      if (own) own.push(arrival);
      else gone.set(segment, [arrival]);
    }
    for (const [name, counts] of changes) {
      state.changes.delete(name);
      if (counts) this.operations.push(put(counts.key, encodeChanges(counts)));
    }
    for (const [number, own] of gone) {
      const segment = segments.get(number);
      if (segment) await this.narrow(state, segments, segment, own);
    }
    const kept = [...segments.values()];
    const first = Math.min(...kept.map(({ firstTimeUs }) => firstTimeUs));
    const last = Math.max(...kept.map(({ lastTimeUs }) => lastTimeUs));
    Object.assign(state.summary, {
      firstTimeUs: kept.length > 0 ? first : undefined,
      lastTimeUs: kept.length > 0 ? last : undefined,
    });
    this.operations.push(put(state.summaryKey, encodeJson(state.summary)));
    this.states.push(state);
  }

  /** Writes everything together with `more`. */
  async commit(more: StoreOperation): Promise<void> {
    for (const { gateway, record } of this.boots.values()) {
      const key = keys.bootKey(gateway, record.boot);
      if (record.batches > 0) this.operations.push(put(key, encodeJson(record)));
      else {
        this.forget(key);
        const points = prefixRange(keys.pointPrefix(gateway, record.boot));
        this.operations.push({ type: 'delete-range', ...points });
      }
    }
    await this.store.write([...this.operations, more]);
    for (const state of this.states) this.cache.keep(state);
    for (const { gateway } of this.boots.values()) this.bootRecords.touched(gateway, true);
  }

  private forget(key: Uint8Array): void {
    this.operations.push({ type: 'delete', key });
  }

  private async arrivals(
    gateway: string,
    stream: string,
    offsets: readonly number[],
  ): Promise<IndexedArrival[]> {
    const wanted = offsets.map((offset) => keys.arrivalKey(gateway, stream, offset));
    const values = await this.store.getMany(wanted);
    const entries = values.flatMap((value, i) => (value ? [{ key: wanted[i], value }] : []));
    return readArrivals(this.store, { gateway, stream }, entries);
  }

  private async segments(gateway: string, stream: string): Promise<Map<number, Segment>> {
    const segments = new Map<number, Segment>();
    for await (const { value } of this.store.entries(keys.filteredKeys('t', { gateway, stream }))) {
      const segment = decodeJson<Segment>(value);
      segments.set(segment.segment, segment);
    }
    return segments;
  }

  /** By rank. */
  private async epochs(gateway: string, stream: string): Promise<Map<number, string>> {
    const prefix = keys.streamPrefix('e', gateway, stream);
    const epochs = new Map<number, string>();
    for await (const { key, value } of this.store.entries(prefixRange(prefix))) {
      const { order } = decodeJson<{ order: number }>(value);
      epochs.set(order, keys.epochOf(key, prefix));
    }
    return epochs;
  }

  private async countChanges(
    gateway: string,
    stream: string,
    arrival: IndexedArrival,
    changes: Map<string, KeyedChanges | undefined>,
  ): Promise<void> {
    for (const minute of minutesOf(arrival)) {
      const name = `${arrival.segment}/${minute}`;
      const key = keys.changesKey(gateway, stream, arrival.segment, minute * minuteUs);
      const known = changes.get(name) ?? (await this.cache.storedChanges(key));
      if (!known) continue;
      if (known.batches > 1) {
        changes.set(name, { key, changes: known.changes + 1, batches: known.batches - 1 });
      } else {
        changes.set(name, undefined);
        this.forget(key);
      }
    }
  }

  /** Takes batches out of a segment's bounds and its boot; one that has none left goes. */
  private async narrow(
    { batchPrefix, segments: cached, summary }: StreamState,
    segments: Map<number, Segment>,
    segment: Segment,
    gone: readonly IndexedArrival[],
  ): Promise<void> {
    const { gateway, stream } = summary;
    const { boot, wallOffsetUs } = segment;
    const key = keys.segmentKey(gateway, stream, boot, wallOffsetUs);
    const goneKeys = new Set(
      gone.map(({ firstTimeUs, epochOrder, sequence }) =>
        hex(keys.batchKey(batchPrefix, segment.segment, firstTimeUs, epochOrder, sequence)),
      ),
    );
    if (boot !== '') await this.leaveBoot(gateway, boot, gone);
    const firstTimeUs = await this.firstTime(gateway, stream, segment, goneKeys);
    if (firstTimeUs === undefined) {
      segments.delete(segment.segment);
      cached.delete(`${boot}/${wallOffsetUs}`);
      this.forget(key);
      return;
    }
    const wasLast = gone.some(({ lastTimeUs }) => lastTimeUs >= segment.lastTimeUs);
    segment.firstTimeUs = firstTimeUs;
    if (wasLast) segment.lastTimeUs = await this.lastTime(gateway, stream, segment, goneKeys);
    cached.set(`${boot}/${wallOffsetUs}`, segment);
    this.operations.push(put(key, encodeJson(segment)));
  }

  private async firstTime(
    gateway: string,
    stream: string,
    { segment }: Segment,
    gone: ReadonlySet<string>,
  ): Promise<number | undefined> {
    const all = keys.batchKeys(gateway, stream, segment, -keys.TIME_LIMIT_US, keys.TIME_LIMIT_US);
    for await (const page of storePages(this.store, all, { limit: pageEntries, keysOnly: true })) {
      const kept = page.find(({ key }) => !gone.has(hex(key)));
      if (kept) return firstTimeOf(kept.key);
    }
    return undefined;
  }

  /** Of the batches that begin late enough to be the one that ends last. */
  private async lastTime(
    gateway: string,
    stream: string,
    { segment, longestUs, firstTimeUs }: Segment,
    gone: ReadonlySet<string>,
  ): Promise<number> {
    const all = keys.batchKeys(gateway, stream, segment, -keys.TIME_LIMIT_US, keys.TIME_LIMIT_US);
    let last = firstTimeUs;
    let startUs = -Infinity;
    for await (const page of storePages(this.store, all, { limit: pageEntries, reverse: true })) {
      for (const { key, value } of page) {
        const beginUs = firstTimeOf(key);
        if (beginUs < startUs) return last;
        if (gone.has(hex(key))) continue;
        startUs = Math.max(startUs, beginUs - longestUs);
        last = Math.max(last, beginUs + lengthsOf(value).durationUs);
      }
    }
    return last;
  }

  private async leaveBoot(gateway: string, boot: string, gone: readonly IndexedArrival[]): Promise<void> {
    const name = `${gateway}/${boot}`;
    const record = this.boots.get(name)?.record ?? (await this.bootRecords.record(gateway, boot));
    if (!record) return;
    record.batches -= gone.length;
    for (const { records } of gone) record.records -= records;
    this.boots.set(name, { gateway, record });
  }
}

const hex = (key: Uint8Array): string => Buffer.from(key).toString('latin1');

/** Of a `batchKey`. */
const firstTimeOf = (key: Uint8Array): number => readTime(key, key.length - 20);
