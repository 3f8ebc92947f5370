import { decodeBatch } from '@fleetlog/shared/batch';
import { FleetlogError, isDataError } from '@fleetlog/shared/errors';
import { RangeSet, Signal, type Clock } from '@fleetlog/shared/util';
import { offsetsSkipped } from '../log/restored.js';
import type { Log, LogEntry } from '../log/log.js';
import { newLease, type Lease } from './lease.js';
import type { ReadTurns } from './read-turns.js';
import type { ConsumeFilter, ConsumerEvent, SkippedCounters } from './types.js';

export interface MemberOptions {
  filter: ConsumeFilter;
  /**
   * It is given what was in the log when it came, and no more. One that gives signs of life may then still commit, and
   * ends by leaving.
   */
  untilEnd: boolean;
  /** It ends where nothing was heard of it for so long; undefined: the connection alone tells. */
  silenceMsMax: number | undefined;
  heartbeatMs: number;
}

const pageEntriesMax = 128;
const pageBytesMax = 512 * 1024;

/**
 * One reader of a group. It is given events at its own pace: nothing is read from the log before it has taken what was
 * read before.
 */
export class Member {
  readonly leases = new Map<number, Lease>();
  private readonly changes: ConsumerEvent[] = [];
  private readonly woken = new Signal();
  private readonly ended = new AbortController();
  private isDirty = true;
  private heardUs: number;
  private turn = 0;

  constructor(
    readonly id: string,
    readonly options: MemberOptions,
    private readonly log: Log,
    private readonly clock: Clock,
    first: ConsumerEvent,
    private readonly counters: SkippedCounters,
    private readonly turns: ReadTurns,
  ) {
    this.changes.push(first);
    this.heardUs = clock.monotonicUs();
  }

  /** Something may have changed: the log, or what this member has. */
  wake(): void {
    this.isDirty = true;
    this.woken.set();
  }

  /** It gave a sign of life. */
  hear(): void {
    this.heardUs = this.clock.monotonicUs();
  }

  get isSilent(): boolean {
    const { silenceMsMax = Infinity } = this.options;
    return this.clock.monotonicUs() - this.heardUs > silenceMsMax * 1000;
  }

  /** Its events end with this error. */
  end(error: FleetlogError): void {
    this.ended.abort(error);
  }

  grant(partition: number, next: number, end: number): void {
    this.leases.set(partition, newLease(partition, next, end));
    this.changes.push({ event: 'assigned', partition, next });
    this.wake();
  }

  revoke(lease: Lease): void {
    lease.revoked = true;
    this.changes.push({ event: 'revoked', partition: lease.partition });
    this.wake();
  }

  lose(lease: Lease): void {
    this.leases.delete(lease.partition);
    this.changes.push({ event: 'lost', partition: lease.partition });
    this.wake();
  }

  /** Errors: FLEETLOG_INTERRUPTED where it was silent for too long; those of the log. The signal ends it quietly. */
  async *events(signal: AbortSignal): AsyncGenerator<ConsumerEvent[]> {
    const stopped = AbortSignal.any([signal, this.ended.signal]);
    const { untilEnd, silenceMsMax } = this.options;
    let isAtEnd = false;
    while (!signal.aborted) {
      this.ended.signal.throwIfAborted();
      this.isDirty = false;
      const events = this.changes.splice(0);
      if (!isAtEnd) await this.readNext(events);
      if (events.length === 0 && !isAtEnd && untilEnd && this.isAtEnd) {
        isAtEnd = true;
        events.push({ event: 'end' });
      }
      if (events.length > 0) yield events;
      else if (isAtEnd && silenceMsMax === undefined) return;
      else if (await this.wasQuiet(stopped)) yield [{ event: 'alive' }];
    }
  }

  private get isAtEnd(): boolean {
    return [...this.leases.values()].every(({ next, end }) => next >= end);
  }

  /** The next page of one of its partitions, in turn. */
  private async readNext(events: ConsumerEvent[]): Promise<void> {
    const leases = [...this.leases.values()];
    const ends = this.log.ends();
    for (let i = 0; i < leases.length; i++) {
      const lease = leases[this.turn++ % leases.length];
      if (lease.revoked || lease.next >= ends[lease.partition].next) continue;
      const before = lease.next;
      await this.turns.take(() => this.readPage(lease, events));
      if (lease.next > before) return;
    }
  }

  /** Returns how many bytes were read. */
  private async readPage(lease: Lease, events: ConsumerEvent[]): Promise<number> {
    const { partition } = lease;
    if (!lease.reading) {
      lease.readTo = this.log.ends()[partition].next;
      lease.reading = this.log.read(partition, lease.next)[Symbol.asyncIterator]();
    }
    const { reading } = lease;
    let bytes = 0;
    for (let count = 0; count < pageEntriesMax && bytes < pageBytesMax; count++) {
      const { done, value: entry } = await reading.next();
      // Another member may have the partition since; what it didn't get yet isn't this one's.
      if (lease.revoked) break;
      if (done) {
        lease.reading = undefined;
        await this.skipTo(lease, lease.readTo, events);
        break;
      }
      const { offset } = entry;
      await this.skipTo(lease, offset, events);
      lease.next = offset + 1;
      bytes += entry.bytes.length;
      if (!this.wants(entry)) continue;
      lease.told = offset + 1;
      const { receiveTimeUs } = entry;
      events.push({ event: 'batch', partition, offset, receiveTimeUs, bytes: entry.bytes });
    }
    if (lease.told < lease.next) {
      lease.told = lease.next;
      events.push({ event: 'position', partition, next: lease.next });
    }
    return bytes;
  }

  /** Says what isn't there, and why: what was trimmed, and what the disk doesn't give. */
  private async skipTo(lease: Lease, offset: number, events: ConsumerEvent[]): Promise<void> {
    if (offset <= lease.next) return;
    const { partition, next: first } = lease;
    const last = offset - 1;
    lease.next = offset;
    const unreadable = new RangeSet([[first, last]]);
    const trimmed = new RangeSet();
    const kept = this.log.ends()[partition].first;
    if (kept > first) trimmed.add(first, Math.min(kept - 1, last));
    for await (const [from, to] of this.log.removal?.removed(partition, first, last) ?? []) {
      trimmed.add(Math.max(from, first), Math.min(to, last));
    }
    for (const [from, to] of trimmed) {
      const offsets = unreadable.remove(from, to);
      const cause = offsets >= offsetsSkipped ? 'restored' : 'trimmed';
      if (cause === 'trimmed') this.counters.trimmed += offsets;
      events.push({ event: 'skipped', partition, first: from, last: to, cause });
    }
    for (const [from, to] of unreadable) {
      this.counters.unreadable += to - from + 1;
      events.push({ event: 'skipped', partition, first: from, last: to, cause: 'unreadable' });
    }
  }

  /** What isn't readable is given to whoever wants everything: it is theirs to see. */
  private wants({ bytes }: LogEntry): boolean {
    const { gateways, streams } = this.options.filter;
    if (!gateways && !streams) return true;
    try {
      const { gateway, stream } = decodeBatch(bytes).header;
      return (gateways?.has(gateway) ?? true) && (streams?.has(stream) ?? true);
    } catch (error) {
      if (!isDataError(error)) throw error;
      return false;
    }
  }

  /** Waits until something may have changed; true where nothing did for the time of a heartbeat. */
  private async wasQuiet(stopped: AbortSignal): Promise<boolean> {
    if (this.isDirty) return false;
    const quiet = new AbortController();
    const timer = setTimeout(() => quiet.abort(), this.options.heartbeatMs);
    const either = AbortSignal.any([quiet.signal, stopped]);
    await this.woken.wait(either).catch(() => undefined); // looked at below, and by the loop
    clearTimeout(timer);
    return quiet.signal.aborted && !stopped.aborted && !this.isDirty;
  }
}
