import type { KeyRange, OrderedStore, StoreEntry } from './store.js';

/**
 * Entries of a range in pages of at most `limit`. No read stays open between two pages, so a slow reader, or one that
 * has seen enough, holds nothing.
 */
export async function* storePages(
  store: Pick<OrderedStore, 'entries'>,
  { gte, lt }: KeyRange,
  { limit, reverse = false, keysOnly = false }: { limit: number; reverse?: boolean; keysOnly?: boolean },
): AsyncGenerator<StoreEntry[]> {
  const left = { gte, lt };
  for (;;) {
    const page: StoreEntry[] = [];
    const options = { limit, reverse, keysOnly, prefetch: limit };
    for await (const entry of store.entries(left, options)) page.push(entry);
    if (page.length > 0) yield page;
    if (page.length < limit) return;
    const last = page[page.length - 1].key;
    if (reverse) left.lt = last;
    else left.gte = Buffer.concat([last, Uint8Array.of(0)]);
  }
}
