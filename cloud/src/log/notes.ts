import type { OrderedStore, StoreEntry } from '@fleetlog/shared/store';
import * as keys from './keys.js';
import type { LogNote } from './log.js';
import { pageEntriesMax } from './pages.js';

/** Notes by prefix, in the order of their keys; a page at a time, so that a slow reader holds nothing open. */
export async function* notesIn(store: OrderedStore, prefix: string): AsyncIterable<LogNote> {
  const { lt, ...range } = keys.noteRange(prefix);
  let { gte } = range;
  for (;;) {
    const page: StoreEntry[] = [];
    const options = { limit: pageEntriesMax, prefetch: pageEntriesMax };
    for await (const entry of store.entries({ gte, lt }, options)) page.push(entry);
    for (const { key, value } of page) yield { key: keys.noteName(key), value };
    if (page.length < pageEntriesMax) return;
    gte = Buffer.concat([page[page.length - 1].key, Uint8Array.of(0)]);
  }
}
