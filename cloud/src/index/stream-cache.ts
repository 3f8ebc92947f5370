import type { OrderedStore } from '@fleetlog/shared/store';
import { decodeJson } from './json-value.js';
import { decodeChanges, type MinuteChanges } from './changes.js';
import type { NumberedContext } from './facts.js';
import { decodeIdSet, idSetsMax, type IdSet } from './id-sets.js';
import { contextKey, epochKey, idSetKey, segmentKey, streamPrefix } from './keys.js';
import type { Segment } from './segments.js';
import { emptySummary } from './summary.js';
import type { StreamSummary } from './types.js';

/** What the indexer remembers of a stream that it writes to. */
export interface StreamState {
  summary: StreamSummary;
  batchPrefix: Uint8Array;
  summaryKey: Uint8Array;
  /** Rank by epoch; the ranks that were asked for so far. */
  epochOrders: Map<string, number>;
  /** By key; those that were written to lately. */
  segments: Map<string, Segment>;
  /** By name; those of the batches that came lately. */
  contexts: Map<string, NumberedContext>;
  /** Number by name. */
  idSets: Map<string, number>;
  /** Of the batch that came last. */
  lastIdSet: IdSet | undefined;
  /** By segment and minute. */
  changes: Map<string, KeyedChanges>;
  /** Whether the store has no others than these: then none needs to be looked for. */
  hasAllChanges: boolean;
}

/** What happened to a minute, with its key. */
export interface KeyedChanges extends MinuteChanges {
  readonly key: Uint8Array;
}

const streamsMax = 16_384;
const epochsMax = 64;
const segmentsKept = 16;
const contextsKept = 8;
const changesKept = 16;

/** Streams that were written lately; the others are read again when they are needed. Memory is bounded. */
export class StreamCache {
  private readonly streams = new Map<string, StreamState>();

  constructor(private readonly store: OrderedStore) {}

  /**
   * A state that is the caller's alone and may be changed. `keep` gives it back; one that isn't given back, since its
   * write failed, is read again from the store.
   */
  async load(gateway: string, stream: string): Promise<StreamState> {
    const name = `${gateway}/${stream}`;
    const known = this.streams.get(name);
    if (known) {
      this.streams.delete(name);
      return known;
    }
    const summaryKey = streamPrefix('s', gateway, stream);
    const stored = await this.store.get(summaryKey);
    return {
      summary: stored ? decodeJson<StreamSummary>(stored) : emptySummary(gateway, stream),
      batchPrefix: streamPrefix('b', gateway, stream),
      summaryKey,
      epochOrders: new Map(),
      segments: new Map(),
      contexts: new Map(),
      idSets: new Map(),
      lastIdSet: undefined,
      changes: new Map(),
      hasAllChanges: stored === undefined,
    };
  }

  keep(state: StreamState): void {
    const name = `${state.summary.gateway}/${state.summary.stream}`;
    if (!this.streams.has(name) && this.streams.size >= streamsMax) {
      for (const oldest of this.streams.keys()) {
        this.streams.delete(oldest);
        break;
      }
    }
    dropOldest(state.epochOrders, epochsMax);
    dropOldest(state.segments, segmentsKept);
    dropOldest(state.contexts, contextsKept);
    dropOldest(state.idSets, idSetsMax);
    state.hasAllChanges &&= state.changes.size <= changesKept;
    dropOldest(state.changes, changesKept);
    this.streams.set(name, state);
  }

  /** A segment that the store knows. */
  async storedSegment(
    gateway: string,
    stream: string,
    { boot, wallOffsetUs }: Pick<Segment, 'boot' | 'wallOffsetUs'>,
  ): Promise<Segment | undefined> {
    const stored = await this.store.get(segmentKey(gateway, stream, boot, wallOffsetUs));
    return stored && decodeJson<Segment>(stored);
  }

  /** A context that the store knows. */
  async storedContext(gateway: string, stream: string, name: string): Promise<NumberedContext | undefined> {
    const stored = await this.store.get(contextKey(gateway, stream, name));
    return stored && decodeJson<NumberedContext>(stored);
  }

  /** Number of a set of identifiers that the store knows. */
  async storedIdSet(gateway: string, stream: string, name: string): Promise<number | undefined> {
    const stored = await this.store.get(idSetKey(gateway, stream, name));
    return stored && decodeIdSet(stored).number;
  }

  async storedChanges(key: Uint8Array): Promise<MinuteChanges | undefined> {
    const stored = await this.store.get(key);
    return stored && decodeChanges(stored);
  }

  /** Rank of an epoch that the store knows. */
  async storedOrder(gateway: string, stream: string, epoch: string): Promise<number | undefined> {
    const stored = await this.store.get(epochKey(gateway, stream, epoch));
    return stored && decodeJson<{ order: number }>(stored).order;
  }
}

function dropOldest(map: Map<string, unknown>, kept: number): void {
  for (const oldest of map.keys()) {
    if (map.size <= kept) return;
    map.delete(oldest);
  }
}
