import { FleetlogError } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import { Signal, type Clock } from '@fleetlog/shared/util';
import { fnv1a } from '../keys.js';
import type { Log, LogAppend, LogEntry, LogNote, PartitionEnds } from '../log.js';
import { RecentEntries } from '../recent.js';
import type { KafkaCluster } from './cluster.js';
import type { Partition } from './committer.js';
import type { NotesTable } from './notes-table.js';
import type { CommittedReader } from './reader.js';
import { entryOf } from './records.js';
import type { Topics } from './topics.js';

const recentBytesMax = 16 * 1024 * 1024;
export const fetchBytes = 1024 * 1024;
/** An offset was committed and its marker is on the way: so often it is looked for. */
export const markerMs = 5;
const markerMsMax = 30_000;

export interface KafkaLogParts {
  topics: Topics;
  writing: KafkaCluster;
  reader: CommittedReader;
  notes: NotesTable;
  /** What is closed with the log. */
  owned: AsyncDisposableStack;
  closing: AbortController;
  clock: Clock;
  logger: Logger;
}

/** The log in a topic, as it is read; how it is written is for those who extend it. `openKafkaLog` makes one. */
export abstract class KafkaLog implements Log {
  /** The markers of transactions have offsets too. */
  readonly isDense = false;
  /** Kafka forgets from the beginning of a partition only. */
  readonly removal = undefined;
  readonly checkpoint = undefined;
  readonly grew = new Signal();
  private readonly grown: Signal[];
  private readonly recent: RecentEntries;
  private closed: Promise<void> | undefined;

  constructor(
    protected readonly parts: KafkaLogParts,
    protected readonly partitions: Partition[],
  ) {
    this.grown = partitions.map(() => new Signal());
    this.recent = new RecentEntries(partitions.length, recentBytesMax);
  }

  abstract append(entries: readonly LogAppend[], notes?: readonly LogNote[]): Promise<number[]>;

  /** Until nothing is being written any more; the log is closing. */
  protected abstract idle(): Promise<void>;

  get partitionCount(): number {
    return this.partitions.length;
  }

  partitionOf(gateway: string): number {
    return fnv1a(gateway) % this.partitions.length;
  }

  /** These are in the log now, behind what was; in the order of their offsets. */
  protected took(entries: readonly LogEntry[]): void {
    const touched = new Set<number>();
    for (const { partition, offset, receiveTimeUs } of entries) {
      const state = this.partitions[partition];
      state.next = offset + 1;
      state.lastReceiveTimeUs = Math.max(state.lastReceiveTimeUs, receiveTimeUs);
      touched.add(partition);
    }
    this.recent.add(entries);
    for (const partition of touched) this.grown[partition].set();
    if (touched.size > 0) this.grew.set();
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
    await this.idle();
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

  protected checkPartition(partition: number): void {
    if (partition in this.partitions) return;
    throw new FleetlogError('FLEETLOG_DEFECT', `The log has no partition ${partition}.`);
  }
}
