import { FleetlogError } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import { Signal, type Clock } from '@fleetlog/shared/util';
import { fnv1a } from '../keys.js';
import type { Log, LogAppend, LogEntry, LogNote, PartitionEnds } from '../log.js';
import { RecentEntries } from '../recent.js';
import { AppendQueue, type QueuedAppend } from './append-queue.js';
import type { KafkaCluster } from './cluster.js';
import type { NotesTable } from './notes-table.js';
import type { CommittedReader } from './reader.js';
import { entryOf, noteRecord, recordOf } from './records.js';
import type { Topics } from './topics.js';
import type { TopicPart, TransactionalWriter } from './writer.js';

export interface Partition {
  first: number;
  next: number;
  lastReceiveTimeUs: number;
}

const recentBytesMax = 16 * 1024 * 1024;
export const fetchBytes = 1024 * 1024;
/** An offset was committed and its marker is on the way: so often it is looked for. */
export const markerMs = 5;
const markerMsMax = 30_000;
const noteRetryMs = 1000;

interface Parts {
  topics: Topics;
  writing: KafkaCluster;
  reader: CommittedReader;
  writer: TransactionalWriter;
  notes: NotesTable;
  /** What is closed with the log. */
  owned: AsyncDisposableStack;
  closing: AbortController;
  clock: Clock;
  logger: Logger;
}

/** The log in a topic. `openKafkaLog` makes one. */
export class KafkaLog implements Log {
  /** The markers of transactions have offsets too. */
  readonly isDense = false;
  /** Kafka forgets from the beginning of a partition only. */
  readonly removal = undefined;
  readonly checkpoint = undefined;
  readonly grew = new Signal();
  private readonly queue: AppendQueue;
  private readonly grown: Signal[];
  private readonly recent: RecentEntries;
  private closed: Promise<void> | undefined;

  constructor(
    private readonly parts: Parts,
    private readonly partitions: Partition[],
  ) {
    this.grown = partitions.map(() => new Signal());
    this.recent = new RecentEntries(partitions.length, recentBytesMax);
    this.queue = new AppendQueue((appends) => this.commit(appends));
  }

  get partitionCount(): number {
    return this.partitions.length;
  }

  partitionOf(gateway: string): number {
    return fnv1a(gateway) % this.partitions.length;
  }

  async append(entries: readonly LogAppend[], notes: readonly LogNote[] = []): Promise<number[]> {
    this.parts.closing.signal.throwIfAborted();
    for (const { partition } of entries) this.checkPartition(partition);
    return this.queue.add({ entries, notes });
  }

  /** All that waited, in one transaction. */
  private async commit(appends: readonly QueuedAppend[]): Promise<number[][]> {
    const { topics, writer } = this.parts;
    const lastTimeUs = this.partitions.map((partition) => partition.lastReceiveTimeUs);
    const byPartition = new Map<number, TopicPart>();
    const appended: LogEntry[] = [];
    for (const { entries } of appends) {
      for (const { partition, receiveTimeUs, ...entry } of entries) {
        const part = byPartition.get(partition) ?? { topic: topics.log, partition, records: [] };
        byPartition.set(partition, part);
        // The wall clock may step back; receive times of a partition don't, so that a time can be searched for.
        lastTimeUs[partition] = Math.max(lastTimeUs[partition], receiveTimeUs);
        // The bytes stay in memory for who reads the end: a copy, since the caller's may be a view of much more.
        const bytes = Uint8Array.from(entry.bytes);
        const place = part.records.length;
        part.records.push(
          recordOf(topics.log, partition, { ...entry, bytes, receiveTimeUs: lastTimeUs[partition] }),
        );
        appended.push({ partition, offset: place, receiveTimeUs: lastTimeUs[partition], bytes });
      }
    }
    const notes = appends.flatMap((append) => append.notes);
    const noteRecords = notes.map((note) => noteRecord(topics.notes, note));
    const parts = [...byPartition.values()];
    if (notes.length > 0) parts.push({ topic: topics.notes, partition: 0, records: noteRecords });
    if (parts.length === 0) return appends.map(() => []);
    const firsts = await writer.commit(parts);
    if (notes.length > 0) await this.noted(notes, (firsts.at(-1) as number) + notes.length);
    const firstOf = new Map(
      parts.map(({ partition, topic }, i) => [topic === topics.log ? partition : -1, firsts[i]]),
    );
    for (const entry of appended) entry.offset += firstOf.get(entry.partition) as number;
    this.took(appended, byPartition.keys(), lastTimeUs);
    let at = 0;
    return appends.map(({ entries }) =>
      appended.slice(at, (at += entries.length)).map(({ offset }) => offset),
    );
  }

  /** What is committed can't be taken back: a disk that doesn't take the notes is asked until it does. */
  private async noted(notes: readonly LogNote[], next: number): Promise<void> {
    const { notes: table, clock, logger, closing } = this.parts;
    for (let attempt = 1; ; attempt++) {
      try {
        await table.apply(notes, next);
        return;
      } catch (error) {
        if (closing.signal.aborted) throw error;
        logger.error({ attempt, error }, 'The notes of the log cannot be kept on this disk; trying again.');
        await clock.sleep(noteRetryMs, closing.signal).catch(() => undefined); // the loop looks at the signal
      }
    }
  }

  private took(appended: LogEntry[], touched: Iterable<number>, lastTimeUs: readonly number[]): void {
    for (const { partition, offset } of appended) this.partitions[partition].next = offset + 1;
    this.recent.add(appended);
    for (const partition of touched) {
      this.partitions[partition].lastReceiveTimeUs = lastTimeUs[partition];
      this.grown[partition].set();
    }
    if (appended.length > 0) this.grew.set();
  }

  async *read(partition: number, offset: number, options: { limit?: number } = {}): AsyncIterable<LogEntry> {
    this.checkPartition(partition);
    const { first, next } = this.partitions[partition];
    let { limit: left = Infinity } = options;
    for await (const page of this.pages(partition, Math.max(offset, first), next)) {
      yield* page.slice(0, left);
      left -= page.length;
      if (left <= 0) return;
    }
  }

  async get(partition: number, offsets: readonly number[]): Promise<(LogEntry | undefined)[]> {
    this.checkPartition(partition);
    const { first, next } = this.partitions[partition];
    const wanted = [...new Set(offsets)].filter((at) => at >= first && at < next).sort((a, b) => a - b);
    const found = new Map<number, LogEntry>();
    for (let i = 0; i < wanted.length;) {
      const [recent] = this.recent.from(partition, wanted[i]);
      if (recent) {
        found.set(recent.offset, recent);
        i++;
        continue;
      }
      // Kafka gives back the whole record batch that holds it, and others that are wanted may be in it.
      const page = await this.page(partition, wanted[i], wanted.length - i > 8 ? fetchBytes : 1);
      for (const entry of page.entries) found.set(entry.offset, entry);
      while (i < wanted.length && wanted[i] < page.next) i++;
    }
    return offsets.map((offset) => found.get(offset));
  }

  async offsetAt(partition: number, timeUs: number): Promise<number> {
    this.checkPartition(partition);
    const { first, next } = this.partitions[partition];
    const { reader, topics } = this.parts;
    const from = await reader.offsetAt(topics.log, partition, Math.max(0, Math.floor(timeUs / 1000)));
    // Kafka counts ms: within the last of them the entries say more exactly.
    for await (const { offset, receiveTimeUs } of this.read(partition, Math.max(first, from ?? next))) {
      if (receiveTimeUs >= timeUs) return offset;
    }
    return next;
  }

  async trim(partition: number, offset: number): Promise<void> {
    this.checkPartition(partition);
    const state = this.partitions[partition];
    const first = Math.min(offset, state.next);
    if (first <= state.first) return;
    const { topics, writing, closing } = this.parts;
    state.first = first; // nobody reads behind it from now on
    try {
      await writing.patiently(
        () =>
          writing.admin.deleteRecords({
            topics: [{ name: topics.log, partitions: [{ partition, offset: BigInt(first) }] }],
          }),
        { msMax: markerMsMax, signal: closing.signal },
      );
    } catch (error) {
      throw writing.complaint(error);
    }
  }

  async *follow(partition: number, offset: number, signal: AbortSignal): AsyncIterable<LogEntry> {
    this.checkPartition(partition);
    const state = this.partitions[partition];
    let from = offset;
    while (!signal.aborted) {
      this.parts.closing.signal.throwIfAborted();
      from = Math.max(from, state.first);
      if (from >= state.next) {
        await this.grown[partition].wait(signal).catch(() => undefined); // the loop looks at the signal
        continue;
      }
      for await (const page of this.pages(partition, from, state.next)) {
        for (const entry of page) {
          if (signal.aborted) return;
          yield entry;
          from = entry.offset + 1;
        }
      }
    }
  }

  ends(): PartitionEnds[] {
    return this.partitions.map(({ first, next }, partition) => ({ partition, first, next }));
  }

  notes(prefix: string): AsyncIterable<LogNote> {
    return this.parts.notes.list(prefix);
  }

  note(key: string): Promise<Uint8Array | undefined> {
    return this.parts.notes.get(key);
  }

  /** Of all copies of the log's topic. */
  async diskBytes(): Promise<number> {
    const { topics, writing } = this.parts;
    const partitions = this.partitions.map((_, partition) => partition);
    const asked = { topics: [{ name: topics.log, partitions }] };
    const dirs = await writing.admin.describeLogDirs(asked).catch((error: unknown) => {
      throw writing.complaint(error);
    });
    const sizes = dirs.flatMap(({ results }) =>
      results.flatMap((dir) => dir.topics.flatMap((t) => t.partitions)),
    );
    return sizes.reduce((sum, { partitionSize }) => sum + Number(partitionSize), 0);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return (this.closed ??= this.close());
  }

  private async close(): Promise<void> {
    const { closing, owned } = this.parts;
    closing.abort(new FleetlogError('FLEETLOG_INTERRUPTED', 'The log was closed.'));
    for (const signal of this.grown) signal.set();
    await this.queue.idle();
    await owned.disposeAsync();
  }

  private async *pages(partition: number, from: number, to: number): AsyncIterable<LogEntry[]> {
    for (let at = from; at < to;) {
      const recent = this.recent.from(partition, at);
      if (recent.length > 0) {
        yield recent.filter(({ offset }) => offset < to);
        return;
      }
      const { entries, next } = await this.page(partition, at, fetchBytes);
      const page = entries.filter(({ offset }) => offset < to);
      if (page.length > 0) yield page;
      at = Math.max(next, this.partitions[partition].first);
    }
  }

  /** Entries from `at`, which is below the end; what was committed this moment is waited for. */
  private async page(
    partition: number,
    at: number,
    bytesMax: number,
  ): Promise<{ entries: LogEntry[]; next: number }> {
    const { reader, topics, clock, closing } = this.parts;
    const endUs = clock.monotonicUs() + markerMsMax * 1000;
    for (;;) {
      const { records, next } = await reader.fetch(topics.log, partition, at, bytesMax);
      if (next > at) return { entries: records.map((record) => entryOf(partition, record)), next };
      if (clock.monotonicUs() >= endUs) {
        throw new FleetlogError(
          'FLEETLOG_UNREACHABLE',
          `Kafka doesn't give back offset ${at} of partition ${partition}.`,
        );
      }
      await clock.sleep(markerMs, closing.signal);
    }
  }

  private checkPartition(partition: number): void {
    if (partition in this.partitions) return;
    throw new FleetlogError('FLEETLOG_DEFECT', `The log has no partition ${partition}.`);
  }
}
