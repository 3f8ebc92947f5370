import { RangeSet, Signal } from '@fleetlog/shared/util';
import type {
  Log,
  LogAppend,
  LogEntry,
  LogNote,
  LogRemoval,
  OffsetRange,
  PartitionEnds,
} from '#cloud/log/log.js';

interface Partition {
  first: number;
  next: number;
  lastReceiveTimeUs: number;
  /** By offset; those that are kept. */
  entries: Map<number, LogEntry>;
  gone: RangeSet;
  grown: Signal;
}

/** A whole log in memory, for tests of what reads one. */
export class MemoryLog implements Log, LogRemoval {
  readonly isDense = true;
  readonly checkpoint = undefined;
  readonly grew = new Signal();
  private readonly partitions: Partition[];
  private readonly kept = new Map<string, Uint8Array>();

  constructor(readonly partitionCount = 2) {
    this.partitions = Array.from({ length: partitionCount }, () => ({
      first: 0,
      next: 0,
      lastReceiveTimeUs: 0,
      entries: new Map(),
      gone: new RangeSet(),
      grown: new Signal(),
    }));
  }

  partitionOf(gateway: string): number {
    let sum = 0;
    for (const char of gateway) sum += char.charCodeAt(0);
    return sum % this.partitionCount;
  }

  async append(entries: readonly LogAppend[], notes: readonly LogNote[] = []): Promise<number[]> {
    const offsets = entries.map(({ partition, receiveTimeUs, bytes }) => {
      const held = this.partitions[partition];
      const offset = held.next++;
      held.lastReceiveTimeUs = Math.max(held.lastReceiveTimeUs, receiveTimeUs);
      const { lastReceiveTimeUs: notBackUs } = held;
      held.entries.set(offset, {
        partition,
        offset,
        receiveTimeUs: notBackUs,
        bytes: Uint8Array.from(bytes),
      });
      return offset;
    });
    for (const { key, value } of notes) this.kept.set(key, value);
    for (const { partition } of entries) this.partitions[partition].grown.set();
    if (entries.length > 0) this.grew.set();
    return offsets;
  }

  async *read(partition: number, offset: number, options: { limit?: number } = {}): AsyncIterable<LogEntry> {
    const { next } = this.ends()[partition];
    let left = options.limit ?? Infinity;
    for (let at = Math.max(offset, this.partitions[partition].first); at < next && left > 0; at++) {
      const entry = this.entry(partition, at);
      if (!entry) continue;
      left--;
      yield entry;
    }
  }

  async get(partition: number, offsets: readonly number[]): Promise<(LogEntry | undefined)[]> {
    return offsets.map((offset) => this.entry(partition, offset));
  }

  async offsetAt(partition: number, timeUs: number): Promise<number> {
    const { entries, next } = this.partitions[partition];
    return [...entries.values()].find(({ receiveTimeUs }) => receiveTimeUs >= timeUs)?.offset ?? next;
  }

  trim(partition: number, offset: number): Promise<void> {
    return this.remove(partition, [[0, offset - 1]]);
  }

  get removal(): LogRemoval {
    return this;
  }

  async remove(
    partition: number,
    ranges: Iterable<OffsetRange>,
    notes: readonly LogNote[] = [],
  ): Promise<void> {
    const held = this.partitions[partition];
    for (const [first, last] of ranges) {
      const to = Math.min(last, held.next - 1);
      if (first > to) continue;
      held.gone.add(first, to);
      for (let offset = first; offset <= to; offset++) held.entries.delete(offset);
    }
    const [from = -1, to = -1] = held.gone.firstRange ?? [];
    if (from === 0) held.first = to + 1;
    for (const { key, value } of notes) this.kept.set(key, value);
  }

  async *removed(partition: number, first: number, last: number): AsyncIterable<OffsetRange> {
    const held = this.partitions[partition];
    for (const [from, to] of held.gone) {
      if (from >= held.first && from <= last && to >= first) yield [from, to];
    }
  }

  async reclaim(): Promise<void> {}

  async *follow(partition: number, offset: number, signal: AbortSignal): AsyncIterable<LogEntry> {
    const held = this.partitions[partition];
    for (let at = offset; !signal.aborted;) {
      at = Math.max(at, held.first);
      const entry = this.entry(partition, at);
      if (entry) {
        at++;
        yield entry;
      } else if (at < held.next) {
        at++; // trimmed
      } else {
        await held.grown.wait(signal).catch(() => {}); // the loop looks at the signal
      }
    }
  }

  ends(): PartitionEnds[] {
    return this.partitions.map(({ first, next }, partition) => ({ partition, first, next }));
  }

  async *notes(prefix: string): AsyncIterable<LogNote> {
    for (const [key, value] of [...this.kept].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (key.startsWith(prefix)) yield { key, value };
    }
  }

  async note(key: string): Promise<Uint8Array | undefined> {
    return this.kept.get(key);
  }

  async diskBytes(): Promise<number> {
    return this.partitions.reduce(
      (sum, { entries }) =>
        sum + [...entries.values()].reduce((bytes, entry) => bytes + entry.bytes.length, 0),
      0,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  private entry(partition: number, offset: number): LogEntry | undefined {
    return this.partitions[partition].entries.get(offset);
  }
}
