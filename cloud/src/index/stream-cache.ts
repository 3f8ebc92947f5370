import type { OrderedStore } from '@fleetlog/shared/store';
import { decodeJson } from './json-value.js';
import { epochKey, streamPrefix } from './keys.js';
import { emptySummary } from './summary.js';
import type { StreamSummary } from './types.js';

/** What the indexer remembers of a stream that it writes to. */
export interface StreamState {
  summary: StreamSummary;
  batchPrefix: Uint8Array;
  summaryKey: Uint8Array;
  /** Rank by epoch; the ranks that were asked for so far. */
  epochOrders: Map<string, number>;
}

const streamsMax = 16_384;
const epochsMax = 64;

/** Streams that were written lately; the others are read again when they are needed. Memory is bounded. */
export class StreamCache {
  private readonly streams = new Map<string, StreamState>();

  constructor(private readonly store: OrderedStore) {}

  /** A state of its own that the caller may change; `keep` makes it what the next caller gets. */
  async load(gateway: string, stream: string): Promise<StreamState> {
    const known = this.streams.get(`${gateway}/${stream}`);
    if (known) {
      return { ...known, summary: { ...known.summary }, epochOrders: new Map(known.epochOrders) };
    }
    const summaryKey = streamPrefix('s', gateway, stream);
    const stored = await this.store.get(summaryKey);
    return {
      summary: stored ? decodeJson<StreamSummary>(stored) : emptySummary(gateway, stream),
      batchPrefix: streamPrefix('b', gateway, stream),
      summaryKey,
      epochOrders: new Map(),
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
    while (state.epochOrders.size > epochsMax) {
      for (const oldest of state.epochOrders.keys()) {
        state.epochOrders.delete(oldest);
        break;
      }
    }
    this.streams.set(name, state);
  }

  /** Rank of an epoch that the store knows. */
  async storedOrder(gateway: string, stream: string, epoch: string): Promise<number | undefined> {
    const stored = await this.store.get(epochKey(gateway, stream, epoch));
    return stored && decodeJson<{ order: number }>(stored).order;
  }
}
