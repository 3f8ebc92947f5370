import type { LogEntry, LogNote } from '../log.js';
import type { QueuedAppend } from './append-queue.js';
import { noteRecord, recordOf } from './records.js';
import type { Topics } from './topics.js';
import type { TopicPart, TransactionalWriter } from './writer.js';

/** A partition of the log as this process knows it. */
export interface Partition {
  first: number;
  next: number;
  lastReceiveTimeUs: number;
}

export interface Committed {
  /** By append, in the order of their entries. */
  offsets: number[][];
  entries: LogEntry[];
  notes: LogNote[];
  /** Offset behind the last of the notes. */
  notesNext: number;
}

/** Makes one transaction of what waits. */
export class Committer {
  constructor(
    private readonly topics: Topics,
    private readonly writer: TransactionalWriter,
    private readonly partitions: readonly Readonly<Partition>[],
    private readonly notesPartition: number,
  ) {}

  /** Errors: those of `TransactionalWriter.commit`; nothing was written then. */
  async commit(appends: readonly QueuedAppend[]): Promise<Committed> {
    const { topics, notesPartition } = this;
    const lastTimeUs = this.partitions.map(({ lastReceiveTimeUs }) => lastReceiveTimeUs);
    const byPartition = new Map<number, TopicPart>();
    const entries: LogEntry[] = [];
    for (const append of appends) {
      for (const { partition, receiveTimeUs, ...entry } of append.entries) {
        const part = byPartition.get(partition) ?? { topic: topics.log, partition, records: [] };
        byPartition.set(partition, part);
        // The wall clock may step back; receive times of a partition don't, so that a time can be searched for.
        lastTimeUs[partition] = Math.max(lastTimeUs[partition], receiveTimeUs);
        // The bytes stay in memory for who reads the end: a copy, since the caller's may be a view of much more.
        const bytes = Uint8Array.from(entry.bytes);
        const place = part.records.length;
        const facts = { ...entry, bytes, receiveTimeUs: lastTimeUs[partition] };
        part.records.push(recordOf(topics.log, partition, facts));
        entries.push({ partition, offset: place, receiveTimeUs: lastTimeUs[partition], bytes });
      }
    }
    const notes = appends.flatMap((append) => append.notes);
    const parts = [...byPartition.values()];
    if (notes.length > 0) {
      const records = notes.map((note) => noteRecord(topics.notes, notesPartition, note));
      parts.push({ topic: topics.notes, partition: notesPartition, records });
    }
    if (parts.length === 0) return { offsets: appends.map(() => []), entries, notes, notesNext: 0 };
    const firsts = await this.writer.commit(parts);
    const firstOf = new Map([...byPartition.keys()].map((partition, i) => [partition, firsts[i]]));
    for (const entry of entries) entry.offset += firstOf.get(entry.partition) as number;
    let at = 0;
    const offsets = appends.map((append) =>
      entries.slice(at, (at += append.entries.length)).map(({ offset }) => offset),
    );
    const notesNext = notes.length > 0 ? (firsts.at(-1) as number) + notes.length : 0;
    return { offsets, entries, notes, notesNext };
  }
}
