import { isLifeId } from '@fleetlog/shared/batch';
import { readInteger, type OrderedStore, type StoreOperation } from '@fleetlog/shared/store';
import { RangeSet } from '@fleetlog/shared/util';
import { keys } from '../keys.js';
import { StreamState } from '../stream-state.js';
import type { KeyValue } from './sealed-value.js';
import type { Mark } from './mark.js';
import type { WalWitness } from './wal-witness.js';

/** A batch's stream (or stream) and sequence by its key; undefined for other keys. */
export function batchOfKey(key: Uint8Array): { stream: string; sequence: number } | undefined {
  const text = nameOfKey(key, 'b');
  if (text === undefined || key.length !== text.length + 11) return undefined;
  return { stream: text, sequence: readInteger(key, key.length - 8) };
}

/** A stream's (or stream's) state by key and value; undefined for other keys and for what isn't readable. */
export function stateOfValue({ key, value }: KeyValue): StreamState | undefined {
  const stream = nameOfKey(key, 'm');
  if (stream === undefined) return undefined;
  try {
    return StreamState.decode(stream, value);
  } catch {
    return undefined;
  }
}

/** The epoch of a life's record; undefined for other keys. */
export function epochOfValue({ key, value }: KeyValue): string | undefined {
  if (Buffer.compare(key, keys.life()) !== 0) return undefined;
  const { epoch } = JSON.parse(Buffer.from(value).toString()) as { epoch?: unknown };
  return isLifeId(epoch) ? epoch : undefined;
}

function nameOfKey(key: Uint8Array, letter: string): string | undefined {
  if (key[0] !== letter.charCodeAt(0) || key[1] !== 0) return undefined;
  const end = key.indexOf(0, 2);
  return end < 0 ? undefined : Buffer.from(key.buffer, key.byteOffset + 2, end - 2).toString('latin1');
}

/** What was found of the streams in the logs: sequences that are readable, of batches that no state counts. */
export type Uncounted = Map<string, RangeSet>;

/**
 * Puts values that lie behind damage in a write-ahead log back into the database, which has left them out.
 *
 * Only where they were durable: a later commit or the mark says so. What lies behind the first damage of a log that
 * was never synced is of no use to anybody: its sources haven't moved on, and give it again.
 */
export async function putBack(
  store: OrderedStore,
  witness: WalWitness,
  mark: Mark | undefined,
): Promise<{ values: number; uncounted: Uncounted }> {
  const uncounted: Uncounted = new Map();
  if (!(await wereDurable(store, witness, mark))) return { values: 0, uncounted };
  const states = new Map<string, StreamState>();
  for (const found of witness.behind) {
    const state = stateOfValue(found);
    if (state) states.set(state.stream, state);
  }
  const operations: StoreOperation[] = [];
  for (const { key, value } of witness.behind) {
    const batch = batchOfKey(key);
    const state = batch && (states.get(batch.stream) ?? (await storedState(store, batch.stream)));
    if (batch && state && state.done.has(batch.sequence)) continue;
    if (batch && batch.sequence >= (state?.next ?? 0)) {
      const durableNext = mark?.streams[batch.stream]?.next ?? 0;
      if (batch.sequence >= durableNext) continue;
      const found = uncounted.get(batch.stream) ?? new RangeSet();
      found.add(batch.sequence);
      uncounted.set(batch.stream, found);
    }
    operations.push({ type: 'put', key, value });
  }
  for (const { stream, done } of states.values()) {
    for (const [first, last] of done) {
      operations.push({
        type: 'delete-range',
        gte: keys.batch(stream, first),
        lt: keys.batch(stream, last + 1),
      });
    }
  }
  await store.write(operations);
  await store.sync();
  return { values: operations.length, uncounted };
}

async function wereDurable(
  store: OrderedStore,
  { behind }: WalWitness,
  mark: Mark | undefined,
): Promise<boolean> {
  if (behind.length === 0) return false;
  if (!(await store.get(keys.life()))) return true; // it is durable before anything else is written
  for (const found of behind) {
    const state = stateOfValue(found);
    if (!state) continue;
    const next = (await storedState(store, state.stream))?.next ?? 0;
    if (Math.max(state.durableBefore, mark?.streams[state.stream]?.next ?? 0) > next) return true;
  }
  return false;
}

async function storedState(store: OrderedStore, stream: string): Promise<StreamState | undefined> {
  const value = await store.get(keys.meta(stream));
  return value && StreamState.decode(stream, value);
}
