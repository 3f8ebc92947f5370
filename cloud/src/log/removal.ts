import { storePages, type OrderedStore, type StoreOperation } from '@fleetlog/shared/store';
import { RangeSet } from '@fleetlog/shared/util';
import * as keys from './keys.js';
import type { OffsetRange } from './log.js';
import type { Partition } from './open.js';

/** What a removal writes, and how far the partition is trimmed then. */
export interface Removal {
  operations: StoreOperation[];
  /** First offset that is kept. */
  first: number;
  /** The last one that goes; -1 where none does. */
  last: number;
}

/**
 * Entries go by ranges, and what was removed in the midst of others is kept as ranges, too, that grow together: who
 * looks for damage has to know what is missing on purpose. They are fewer than the entries that are kept.
 */
export async function removalOf(
  store: OrderedStore,
  partition: number,
  state: Partition,
  ranges: Iterable<OffsetRange>,
): Promise<Removal> {
  const gone = new RangeSet();
  for (const [from, to] of ranges) {
    const first = Math.max(from, state.first);
    const last = Math.min(to, state.durableNext - 1);
    if (first <= last) gone.add(first, last);
  }
  const operations: StoreOperation[] = [];
  for (const [first, last] of gone) {
    operations.push(...deletions(partition, first, last));
  }
  const last = gone.max ?? -1;
  const known = new RangeSet(gone);
  for (const [from, to] of gone) {
    for await (const range of removedRanges(store, partition, from - 1, to + 1)) {
      operations.push({ type: 'delete', key: keys.removedKey(partition, range[0]) });
      known.add(...range);
    }
  }
  let { first } = state;
  for (const [from, to] of known) {
    if (from <= first) first = Math.max(first, to + 1);
    else
      operations.push({ type: 'put', key: keys.removedKey(partition, from), value: keys.removedValue(to) });
  }
  operations.push({ type: 'put', key: keys.trimKey(partition), value: keys.trimValue({ ...state, first }) });
  return { operations, first, last };
}

/** A range's tombstone costs readers more than those of a few entries do. */
const singleDeletesMax = 8;

function deletions(partition: number, first: number, last: number): StoreOperation[] {
  const count = last - first + 1;
  if (count > singleDeletesMax)
    return [{ type: 'delete-range', ...keys.entryRange(partition, first, last + 1) }];
  return Array.from({ length: count }, (_, i) => ({
    type: 'delete',
    key: keys.entryKey(partition, first + i),
  }));
}

const pageEntries = 128;

/** Those that touch `[first, last]`, ascending. */
export async function* removedRanges(
  store: OrderedStore,
  partition: number,
  first: number,
  last: number,
): AsyncGenerator<OffsetRange> {
  const before = keys.removedKeys(partition, 0, Math.max(0, first));
  let reaching: OffsetRange | undefined;
  for await (const entry of store.entries(before, { reverse: true, limit: 1 })) {
    reaching = keys.removedRange(entry);
  }
  if (reaching && reaching[1] >= first) yield reaching;
  const within = keys.removedKeys(partition, Math.max(0, first), last + 1);
  for await (const page of storePages(store, within, { limit: pageEntries })) {
    for (const entry of page) yield keys.removedRange(entry);
  }
}
