import { storePages, type OrderedStore } from '@fleetlog/shared/store';
import * as keys from './keys.js';
import type { LogNote } from './log.js';
import { pageEntriesMax } from './pages.js';

/** Notes by prefix, in the order of their keys; a page at a time, so that a slow reader holds nothing open. */
export async function* notesIn(store: OrderedStore, prefix: string): AsyncIterable<LogNote> {
  for await (const page of storePages(store, keys.noteRange(prefix), { limit: pageEntriesMax })) {
    for (const { key, value } of page) yield { key: keys.noteName(key), value };
  }
}
