import { decodeBatch } from '@fleetlog/shared/batch';
import { FleetlogError, isDataError } from '@fleetlog/shared/errors';
import { RangeSet, Signal, type Clock } from '@fleetlog/shared/util';
import { offsetsSkipped } from '../log/restored.js';
import type { Log, LogEntry } from '../log/log.js';
import type { EventOrder, OrderOptions } from './event-order.js';
import { newLease, type Lease } from './lease.js';
import { OrderedPages, type KnownBacklog } from './ordered-pages.js';
import type { ReadTurns } from './read-turns.js';
import type { ConsumeFilter, ConsumerEvent, GroupCounters, SkippedCounters } from './types.js';

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
  /** Undefined: in the order of arrival. */
  order?: OrderOptions | undefined;
}

export interface MemberParts {
  log: Log;
  clock: Clock;
  /** What it is told before all else. */
  first: ConsumerEvent;
  counters: GroupCounters;
  turns: ReadTurns;
  /** How many members read, of all groups. */
  readers: () => number;
  /** Undefined: it is given what it reads in the order of arrival. */
  ordered: { order: EventOrder; backlog: KnownBacklog } | undefined;
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
  private readonly log: Log;
  private readonly clock: Clock;
  private readonly counters: SkippedCounters;
  private readonly turns: ReadTurns;
  private readonly readers: () => number;
  private readonly ordered: OrderedPages | undefined;

  constructor(
    readonly id: string,
    readonly options: MemberOptions,
    { log, clock, first, counters, turns, readers, ordered }: MemberParts,
  ) {
    this.log = log;
    this.clock = clock;
    this.counters = counters.skipped;
    this.turns = turns;
    this.readers = readers;
    this.ordered = ordered && new OrderedPages({ ...ordered, log, clock, filter: options.filter, counters });
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
    this.ordered?.drop(lease.partition);
    this.changes.push({ event: 'revoked', partition: lease.partition });
    this.wake();
  }

  lose(lease: Lease): void {
    this.leases.delete(lease.partition);
    this.ordered?.drop(lease.partition);
    this.changes.push({ event: 'lost', partition: lease.partition });
    this.wake();
  }

  /** Errors: FLEETLOG_INTERRUPTED where it was silent for too long; those of the log. The signal ends it quietly. */
  async *events(signal: AbortSignal): AsyncGenerator<ConsumerEvent[]> {
    try {
      yield* this.pages(signal);
    } finally {
      for (const partition of this.leases.keys()) this.ordered?.drop(partition);
    }
  }

  private async *pages(signal: AbortSignal): AsyncGenerator<ConsumerEvent[]> {
    const stopped = AbortSignal.any([signal, this.ended.signal]);
    const { untilEnd, silenceMsMax } = this.options;
    let isAtEnd = false;
    while (!signal.aborted) {
      this.ended.signal.throwIfAborted();
      this.isDirty = false;
      const events = this.changes.splice(0);
      if (!isAtEnd) await (this.ordered ? this.readOrdered(events, this.ordered) : this.readNext(events));
      if (events.length === 0 && !isAtEnd && untilEnd && this.isAtEnd) {
        isAtEnd = true;
        events.push({ event: 'end' });
      }
      if (events.length > 0) {
        yield events;
        if (events.length < pageEntriesMax / 2) await this.rest(stopped);
      } else if (isAtEnd && silenceMsMax === undefined) return;
      else if (await this.wasQuiet(stopped)) yield [{ event: 'alive' }];
    }
  }

  /** A page of a few batches costs nearly what a full one does. */
  private async rest(stopped: AbortSignal): Promise<void> {
    const restMs = this.options.untilEnd ? 0 : this.turns.restMs(this.readers());
    if (restMs > 0) await this.clock.sleep(restMs, stopped).catch(() => undefined); // the loop looks at the signal
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
      if (lease.revoked || lease.read >= ends[lease.partition].next) continue;
      const before = lease.read;
      await this.turns.take(() => this.readPage(lease, events));
      if (lease.read > before) return;
    }
  }

  /** What is due of what was read before; where nothing is, the next page of the partition that is farthest behind. */
  private async readOrdered(events: ConsumerEvent[], ordered: OrderedPages): Promise<void> {
    if (!ordered.hasDue) {
      const lease = ordered.farthestBehind(this.leases.values());
      const read: ConsumerEvent[] = [];
      if (lease) await this.turns.take(() => this.readPage(lease, read));
      await ordered.hold(read, this.leases, events);
      ordered.look(this.leases, this.options.untilEnd);
      if (lease) this.isDirty = true; // there may be more
    }
    await ordered.give(this.leases, events);
  }

  /** Returns how many bytes were read. */
  private async readPage(lease: Lease, events: ConsumerEvent[]): Promise<number> {
    const { partition } = lease;
    if (!lease.reading) {
      lease.readTo = this.log.ends()[partition].next;
      lease.reading = this.log.read(partition, lease.read)[Symbol.asyncIterator]();
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
      this.advance(lease, offset + 1);
      bytes += entry.bytes.length;
      const { receiveTimeUs } = entry;
      lease.readTimeUs = receiveTimeUs;
      if (!this.wants(entry)) continue;
      if (!this.ordered) lease.told = offset + 1;
      events.push({ event: 'batch', partition, offset, receiveTimeUs, bytes: entry.bytes });
    }
    if (!this.ordered && lease.told < lease.next) {
      lease.told = lease.next;
      events.push({ event: 'position', partition, next: lease.next });
    }
    return bytes;
  }

  /** What is held back isn't given yet. */
  private advance(lease: Lease, to: number): void {
    lease.read = to;
    if (!this.ordered) lease.next = to;
  }

  /** Says what isn't there, and why: what was trimmed, and what the disk doesn't give. */
  private async skipTo(lease: Lease, offset: number, events: ConsumerEvent[]): Promise<void> {
    if (offset <= lease.read) return;
    const { partition, read: first } = lease;
    const last = offset - 1;
    this.advance(lease, offset);
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
    const { heartbeatMs } = this.options;
    const dueMs = this.ordered?.dueInMs() ?? Infinity;
    const timer = setTimeout(() => quiet.abort(), Math.min(heartbeatMs, dueMs));
    const either = AbortSignal.any([quiet.signal, stopped]);
    await this.woken.wait(either).catch(() => undefined); // looked at below, and by the loop
    clearTimeout(timer);
    return quiet.signal.aborted && dueMs >= heartbeatMs && !stopped.aborted && !this.isDirty;
  }
}
