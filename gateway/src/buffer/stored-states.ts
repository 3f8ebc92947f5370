import type { OrderedStore, StoreOperation } from '@fleetlog/shared/store';
import { RangeSet } from '@fleetlog/shared/util';
import type { BatchStamp } from './batch-stamp.js';
import { encodeEntry } from './entry.js';
import { GapSpans, type GapSpan } from './gap-spans.js';
import { streamMark, type StreamMark } from './integrity/mark.js';
import { keys } from './keys.js';
import { StreamState } from './stream-state.js';

/** Totals of ranges don't go through gap records. */
const noEntry = { bytesBefore: 0, recordsBefore: 0, records: 0 };

/** What is stored of each stream. Errors: FLEETLOG_STORE. */
export async function readStates(store: OrderedStore): Promise<Map<string, StreamState>> {
  const states = new Map<string, StreamState>();
  for await (const { key, value } of store.entries(keys.allMeta())) {
    const stream = Buffer.from(key).subarray(2, -1).toString('latin1');
    const state = StreamState.decode(stream, value);
    const gaps = await store.get(keys.gaps(stream));
    if (gaps) state.gaps = GapSpans.from(JSON.parse(Buffer.from(gaps).toString()) as GapSpan[]);
    states.set(stream, state);
  }
  return states;
}

/** What a stream will be on disk once a write is durable. */
interface ChangedStream {
  state: StreamState;
  next: number;
  gaps: GapSpan[];
  marked: StreamMark;
}

/** What has changed in the streams since the last call, as operations of one write: records, gap records, removals. */
export function takeChanges(
  states: Iterable<StreamState>,
  stamp: BatchStamp,
): { operations: StoreOperation[]; changed: ChangedStream[] } {
  const operations: StoreOperation[] = [];
  const changed: ChangedStream[] = [];
  for (const state of states) {
    if (!state.dirty) continue;
    const { stream, next } = state;
    for (const [first, last] of state.toRemove) {
      operations.push({
        type: 'delete-range',
        gte: keys.batch(stream, first),
        lt: keys.batch(stream, last + 1),
      });
    }
    const { spans: gaps, vacated } = state.gaps.takeChanges();
    for (const s of vacated) operations.push({ type: 'delete', key: keys.batch(stream, s) });
    for (const gap of gaps) {
      const value = encodeEntry({ ...noEntry, batch: stamp.gap(state, gap) });
      operations.push({ type: 'put', key: keys.batch(stream, gap.first), value });
    }
    if (state.gapsDirty) {
      operations.push({
        type: 'put',
        key: keys.gaps(stream),
        value: Buffer.from(JSON.stringify(state.gaps)),
      });
    }
    operations.push({ type: 'put', key: keys.meta(stream), value: state.encode() });
    changed.push({ state, next, gaps, marked: streamMark({ ...state.facts(), durableNext: next }) });
    state.toRemove = new RangeSet();
    state.dirty = state.gapsDirty = false;
  }
  return { operations, changed };
}
