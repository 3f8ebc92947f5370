import type { BatchHeader } from '@fleetlog/shared/batch';
import type { StoreOperation } from '@fleetlog/shared/store';
import { minutesOf, minuteUs, newMinute } from './changes.js';
import { contextName, contextOf, contextsMax } from './contexts.js';
import type { NumberedContext } from './facts.js';
import { encodeIdSet, idSetName, idSetsMax } from './id-sets.js';
import { encodeJson } from './json-value.js';
import { changesKey, contextKey, idSetKey } from './keys.js';
import type { KeyedChanges, StreamCache, StreamState } from './stream-cache.js';

/** Twice a distance to the context's is written exactly. */
const distanceMaxUs = 2 ** 51;

function areEqual(a: Uint32Array, b: Uint32Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** What a stream's batches refer to by number: found, or added to what is to be written. */
export class StreamDetails {
  private readonly gateway: string;
  private readonly stream: string;

  constructor(
    private readonly state: StreamState,
    private readonly cache: StreamCache,
    private readonly operations: StoreOperation[],
  ) {
    this.gateway = state.summary.gateway;
    this.stream = state.summary.stream;
  }

  async contextFor(header: BatchHeader, partition: number): Promise<NumberedContext> {
    const { gateway, stream, state } = this;
    const own = contextOf(header, partition);
    const name = contextName(own);
    let context = state.contexts.get(name);
    if (!context && state.contexts.size < state.summary.contexts) {
      context = await this.cache.storedContext(gateway, stream, name);
    }
    if (!context && state.summary.contexts >= contextsMax) return { number: 0, ...own };
    if (!context) {
      context = { number: ++state.summary.contexts, ...own };
      const value = encodeJson(context);
      this.operations.push({ type: 'put', key: contextKey(gateway, stream, name), value });
    }
    state.contexts.set(name, context);
    const isFar = Math.abs(own.wallOffsetUs - context.wallOffsetUs) > distanceMaxUs;
    return isFar ? { number: 0, ...own } : context;
  }

  /** 0 where the set isn't kept. */
  async idSetFor(ids: Uint32Array): Promise<number> {
    const { gateway, stream, state } = this;
    if (state.lastIdSet && areEqual(state.lastIdSet.ids, ids)) return state.lastIdSet.number;
    const name = idSetName(ids);
    if (name === undefined) return 0;
    let number = state.idSets.get(name);
    if (number === undefined && state.idSets.size < state.summary.idSets) {
      number = await this.cache.storedIdSet(gateway, stream, name);
    }
    if (number === undefined && state.summary.idSets >= idSetsMax) return 0;
    if (number === undefined) {
      number = ++state.summary.idSets;
      const value = encodeIdSet(number, ids);
      this.operations.push({ type: 'put', key: idSetKey(gateway, stream, name), value });
    }
    state.idSets.set(name, number);
    state.lastIdSet = { number, ids };
    return number;
  }

  /** Counts a batch; returns the new counts with their keys, which the same object stands for as long as it is known. */
  async countChanges(segment: number, header: BatchHeader): Promise<KeyedChanges[]> {
    const { gateway, stream, state } = this;
    const counted: KeyedChanges[] = [];
    for (const minute of minutesOf(header)) {
      const name = `${segment}/${minute}`;
      let known = state.changes.get(name);
      if (!known) {
        const key = changesKey(gateway, stream, segment, minute * minuteUs);
        const stored = state.hasAllChanges ? undefined : await this.cache.storedChanges(key);
        known = { key, ...(stored ?? newMinute(state.summary.trimmed)) };
      }
      const next = { ...known, changes: known.changes + 1, batches: known.batches + 1 };
      state.changes.delete(name); // the latest stand last
      state.changes.set(name, next);
      counted.push(next);
    }
    return counted;
  }
}
