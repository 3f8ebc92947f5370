import { Signal } from '@fleetlog/shared/util';
import type { Log, LogAppend, LogEntry, LogNote, PartitionEnds } from '#cloud/log/log.js';

interface Partition {
  first: number;
  entries: LogEntry[];
  grown: Signal;
}

/** A whole log in memory, for tests of what reads one. */
export class MemoryLog implements Log {
  readonly isDense = true;
  readonly grew = new Signal();
  private readonly partitions: Partition[];
  private readonly kept = new Map<string, Uint8Array>();

  constructor(readonly partitionCount = 2) {
    this.partitions = Array.from({ length: partitionCount }, () => ({
      first: 0,
      entries: [],
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
      const { first, entries: held } = this.partitions[partition];
      const offset = first + held.length;
      const lastTimeUs = held.at(-1)?.receiveTimeUs ?? 0;
      const notBackUs = Math.max(lastTimeUs, receiveTimeUs);
      held.push({ partition, offset, receiveTimeUs: notBackUs, bytes: Uint8Array.from(bytes) });
      return offset;
    });
    for (const { key, value } of notes) this.kept.set(key, value);
    for (const { partition } of entries) this.partitions[partition].grown.set();
    if (entries.length > 0) this.grew.set();
    return offsets;
  }

  async *read(partition: number, offset: number, options: { limit?: number } = {}): AsyncIterable<LogEntry> {
    const { first, next } = this.ends()[partition];
    const from = Math.max(offset, first);
    const to = Math.min(next, from + (options.limit ?? Infinity));
    for (let at = from; at < to; at++) {
      const entry = this.entry(partition, at);
      if (entry) yield entry;
    }
  }

  async get(partition: number, offsets: readonly number[]): Promise<(LogEntry | undefined)[]> {
    return offsets.map((offset) => this.entry(partition, offset));
  }

  async offsetAt(partition: number, timeUs: number): Promise<number> {
    const { entries } = this.partitions[partition];
    return (
      entries.find(({ receiveTimeUs }) => receiveTimeUs >= timeUs)?.offset ?? this.ends()[partition].next
    );
  }

  async trim(partition: number, offset: number): Promise<void> {
    const held = this.partitions[partition];
    const count = Math.min(held.entries.length, Math.max(0, offset - held.first));
    held.entries.splice(0, count);
    held.first += count;
  }

  async *follow(partition: number, offset: number, signal: AbortSignal): AsyncIterable<LogEntry> {
    const held = this.partitions[partition];
    for (let at = offset; !signal.aborted;) {
      at = Math.max(at, held.first);
      const entry = this.entry(partition, at);
      if (entry) {
        at++;
        yield entry;
      } else {
        await held.grown.wait(signal).catch(() => {}); // the loop looks at the signal
      }
    }
  }

  ends(): PartitionEnds[] {
    return this.partitions.map(({ first, entries }, partition) => ({
      partition,
      first,
      next: first + entries.length,
    }));
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
      (sum, { entries }) => sum + entries.reduce((bytes, entry) => bytes + entry.bytes.length, 0),
      0,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  private entry(partition: number, offset: number): LogEntry | undefined {
    const { first, entries } = this.partitions[partition];
    return offset < first ? undefined : entries[offset - first];
  }
}
