import { decodeBatch, decodeGap, type Batch, type BatchHeader } from '@fleetlog/shared/batch';
import { FleetlogError } from '@fleetlog/shared/errors';
import type { OrderedStore, StoreOperation } from '@fleetlog/shared/store';
import type { LogEntry } from '../log/log.js';
import { encodeFacts } from './facts.js';
import { encodeJson } from './json-value.js';
import { batchKey, epochKey, gapKey, TIME_LIMIT_US } from './keys.js';
import type { StreamCache, StreamState } from './stream-cache.js';
import { summarize } from './summary.js';
import type { GapRecord } from './types.js';

/**
 * The changes that a run of log entries makes to the index, gathered to be written at once. Nothing that outlives the
 * group changes before `commit`, so a write that fails leaves no trace.
 */
export class IndexGroup {
  readonly operations: StoreOperation[] = [];
  private readonly streams = new Map<string, StreamState>();

  constructor(private readonly cache: StreamCache) {}

  /** Errors: those of the store. */
  async add(entry: LogEntry, { header, gap }: ReadEntry): Promise<void> {
    const { gateway, stream } = header;
    const state = await this.stateOf(gateway, stream);
    const epochOrder = state.epochOrders.get(header.epoch) ?? (await this.rankEpoch(state, header.epoch));
    summarize(state.summary, header, entry);
    this.operations.push(
      gap
        ? put(gapKey(gateway, stream, header.epoch, header.sequence), encodeJson(gap))
        : put(
            batchKey(state.batchPrefix, header.firstTimeUs, epochOrder, header.sequence),
            encodeFacts(header, entry),
          ),
    );
  }

  /** Writes everything together with `more`. */
  async commit(store: OrderedStore, more: StoreOperation): Promise<void> {
    for (const { summaryKey, summary } of this.streams.values()) {
      this.operations.push(put(summaryKey, encodeJson(summary)));
    }
    await store.write([...this.operations, more]);
    for (const state of this.streams.values()) this.cache.keep(state);
  }

  private async stateOf(gateway: string, stream: string): Promise<StreamState> {
    const name = `${gateway}/${stream}`;
    let state = this.streams.get(name);
    if (!state) this.streams.set(name, (state = await this.cache.load(gateway, stream)));
    return state;
  }

  private async rankEpoch(state: StreamState, epoch: string): Promise<number> {
    const { gateway, stream } = state.summary;
    let order = await this.cache.storedOrder(gateway, stream, epoch);
    if (order === undefined) {
      order = state.summary.epochs++;
      this.operations.push(put(epochKey(gateway, stream, epoch), encodeJson({ order })));
    }
    state.epochOrders.set(epoch, order);
    return order;
  }
}

export const put = (key: Uint8Array, value: Uint8Array): StoreOperation => ({ type: 'put', key, value });

/** What the index wants to know of an entry of the log. */
export interface ReadEntry {
  header: BatchHeader;
  /** Where it is a gap record. */
  gap: GapRecord | undefined;
}

/** Errors: those of data. */
export function readEntry({ bytes }: LogEntry): ReadEntry {
  const batch = decodeBatch(bytes);
  const { header } = batch;
  if (Math.max(Math.abs(header.firstTimeUs), Math.abs(header.lastTimeUs)) > TIME_LIMIT_US) {
    throw new FleetlogError('FLEETLOG_BATCH_LIMIT', "The batch's event times are centuries away.");
  }
  return { header, gap: header.codec === 'gap-1' ? gapRecord(batch) : undefined };
}

function gapRecord(batch: Batch): GapRecord {
  const { header } = batch;
  return {
    gateway: header.gateway,
    stream: header.stream,
    epoch: header.epoch,
    first: header.sequence,
    last: header.lastSequence,
    ...decodeGap(batch),
    records: header.recordCount,
    firstTimeUs: header.firstTimeUs,
    lastTimeUs: header.lastTimeUs,
  };
}
