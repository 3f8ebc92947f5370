import type { OrderedStore, StoreOperation } from '@fleetlog/shared/store';
import * as keys from '../keys.js';
import type { LogNote } from '../log.js';
import { notesIn } from '../notes.js';
import type { CommittedReader, CommittedRecord } from './reader.js';
import type { Topics } from './topics.js';

interface Checkpoint {
  topicId: string;
  /** Offset of the notes' topic up to which this table has them. */
  next: number;
}

const fetchBytes = 4 * 1024 * 1024;

/**
 * The notes of the log as a table on this machine's disk. The topic has the truth: a table that is gone, old or of
 * another topic is filled from it when the log is opened.
 */
export class NotesTable {
  private constructor(
    private readonly store: OrderedStore,
    private readonly topicId: string,
  ) {}

  static async open(
    store: OrderedStore,
    reader: CommittedReader,
    { notes, id }: Topics,
  ): Promise<NotesTable> {
    const table = new NotesTable(store, id);
    const stored = await store.get(keys.metaKey);
    const checkpoint = stored && (JSON.parse(Buffer.from(stored).toString()) as Checkpoint);
    let next = checkpoint?.topicId === id ? checkpoint.next : await table.clear();
    const { stable } = await reader.ends(notes, 0);
    while (next < stable) {
      const fetched = await reader.fetch(notes, 0, next, fetchBytes);
      if (fetched.next === next) break;
      next = fetched.next;
      await table.apply(fetched.records.map(toNote), next);
    }
    return table;
  }

  /** Takes what was committed before `next`. */
  apply(notes: readonly LogNote[], next: number): Promise<void> {
    const puts = notes.map(({ key, value }): StoreOperation => ({
      type: 'put',
      key: keys.noteKey(key),
      value,
    }));
    const checkpoint: Checkpoint = { topicId: this.topicId, next };
    const value = Buffer.from(JSON.stringify(checkpoint));
    return this.store.write([...puts, { type: 'put', key: keys.metaKey, value }]);
  }

  get(key: string): Promise<Uint8Array | undefined> {
    return this.store.get(keys.noteKey(key));
  }

  list(prefix: string): AsyncIterable<LogNote> {
    return notesIn(this.store, prefix);
  }

  private async clear(): Promise<number> {
    await this.store.write([{ type: 'delete-range', ...keys.noteRange('') }]);
    return 0;
  }
}

const toNote = ({ key, value }: CommittedRecord): LogNote => ({ key: String(key), value });
