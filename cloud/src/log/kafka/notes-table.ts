import type { OrderedStore, StoreOperation } from '@fleetlog/shared/store';
import * as keys from '../keys.js';
import type { LogNote } from '../log.js';
import { notesIn } from '../notes.js';
import type { CommittedReader, CommittedRecord } from './reader.js';
import type { Topics } from './topics.js';

interface Checkpoint {
  topicId: string;
  /** Offsets up to which this table has them, by partition of the notes' topic. */
  next: number[];
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
    private readonly nexts: number[],
  ) {}

  static async open(
    store: OrderedStore,
    reader: CommittedReader,
    { notes, id, notesPartitions }: Topics,
  ): Promise<NotesTable> {
    const stored = await store.get(keys.metaKey);
    const checkpoint = stored && (JSON.parse(Buffer.from(stored).toString()) as Checkpoint);
    const isOurs = checkpoint?.topicId === id && Array.isArray(checkpoint.next);
    if (!isOurs) await store.write([{ type: 'delete-range', ...keys.noteRange('') }]);
    const nexts = isOurs ? checkpoint.next : Array.from({ length: notesPartitions }, () => 0);
    const table = new NotesTable(store, id, nexts);
    for (let partition = 0; partition < notesPartitions; partition++) {
      const { stable } = await reader.ends(notes, partition);
      while (table.nexts[partition] < stable) {
        const fetched = await reader.fetch(notes, partition, table.nexts[partition], fetchBytes);
        if (fetched.next === table.nexts[partition]) break;
        await table.apply(fetched.records.map(toNote), partition, fetched.next);
      }
    }
    return table;
  }

  /** Offset up to which it has the notes of a partition. */
  nextOf(partition: number): number {
    return this.nexts[partition];
  }

  /** Takes what was committed before `next`. */
  async apply(notes: readonly LogNote[], partition: number, next: number): Promise<void> {
    const puts = notes.map(({ key, value }): StoreOperation => ({
      type: 'put',
      key: keys.noteKey(key),
      value,
    }));
    const checkpoint: Checkpoint = { topicId: this.topicId, next: this.nexts.with(partition, next) };
    const value = Buffer.from(JSON.stringify(checkpoint));
    await this.store.write([...puts, { type: 'put', key: keys.metaKey, value }]);
    this.nexts[partition] = next;
  }

  get(key: string): Promise<Uint8Array | undefined> {
    return this.store.get(keys.noteKey(key));
  }

  list(prefix: string): AsyncIterable<LogNote> {
    return notesIn(this.store, prefix);
  }
}

export const toNote = ({ key, value }: CommittedRecord): LogNote => ({ key: String(key), value });
