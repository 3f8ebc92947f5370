import { isDamage } from '@fleetlog/shared/store';
import type { Clock } from '@fleetlog/shared/util';
import type { Log } from '../log/log.js';
import type { EventOrder, Ordered } from './event-order.js';
import type { Lease } from './lease.js';
import type { ConsumeFilter, ConsumerEvent, GroupCounters } from './types.js';

export interface KnownBacklog {
  /** Whether gateways have something of these streams that the log hasn't, and may bring it within the wait. */
  isPending(filter: ConsumeFilter, waitUs: number): boolean;
}

export interface OrderedPagesParts {
  order: EventOrder;
  backlog: KnownBacklog;
  log: Log;
  clock: Clock;
  filter: ConsumeFilter;
  counters: GroupCounters;
}

type Leases = ReadonlyMap<number, Lease>;

/** Where nothing is known to be missing, so long is waited for batches that are on their way, of all gateways. */
const settleUs = 2e6;
/** What is missing may have come, which nothing else tells. */
const lookMsMax = 500;
const lookMsMin = 10;

/**
 * Gives a member's batches in the order of event time. At the end of the log a batch waits until gateways bring what
 * they announced, as long as the bound lets it; before the end, the times of receipt are the clock, so that a year later
 * the same batches wait for each other as today.
 */
export class OrderedPages {
  private isPending = false;

  constructor(private readonly parts: OrderedPagesParts) {}

  get hasDue(): boolean {
    return this.parts.order.hasDue;
  }

  /** The one to read next: its last entry was received first. Undefined where all were read to their ends. */
  farthestBehind(leases: Iterable<Lease>): Lease | undefined {
    let found: Lease | undefined;
    for (const lease of this.unread(leases)) {
      if (!found || lease.readTimeUs < found.readTimeUs) found = lease;
    }
    return found;
  }

  /** Keeps what was read, but for what is to be told at once. */
  async hold(read: readonly ConsumerEvent[], leases: Leases, events: ConsumerEvent[]): Promise<void> {
    for (const event of read) {
      if (event.event !== 'batch') events.push(event);
      else if (isOpen(leases.get(event.partition))) await this.parts.order.add(event);
    }
    // While its time was looked up, the partition may have gone.
    for (const { partition } of read.filter((event) => event.event === 'batch')) {
      if (!isOpen(leases.get(partition))) this.drop(partition);
    }
  }

  /** Finds what is due now. `flush`: nothing comes behind the end. */
  look(leases: Leases, flush: boolean): void {
    const { order, clock, backlog, filter } = this.parts;
    const { waitUs } = order;
    let readUs = Infinity;
    for (const { readTimeUs } of this.unread(leases.values())) readUs = Math.min(readUs, readTimeUs);
    if (readUs < Infinity) {
      order.expire(readUs - waitUs);
      return;
    }
    this.isPending = backlog.isPending(filter, waitUs);
    order.expire(flush ? Infinity : clock.nowUs() - this.holdUs);
  }

  /** The next page of what is due, and how far each partition may be committed then. */
  async give(leases: Leases, events: ConsumerEvent[]): Promise<void> {
    const { order, counters } = this.parts;
    const taken = order.take().flatMap((batch) => {
      const lease = leases.get(batch.partition);
      if (!isOpen(lease)) return [];
      // From now on it is given: who takes the partition over waits until it is committed.
      lease.next = batch.nextHeld ?? lease.read;
      return [{ batch, lease, next: lease.next }];
    });
    const again = await this.readAgain(taken.flatMap(({ batch }) => (batch.bytes ? [] : [batch])));
    for (const { batch, lease, next } of taken) {
      const { partition, offset, receiveTimeUs, late } = batch;
      const bytes = batch.bytes ?? again.get(batch);
      if (!(bytes instanceof Uint8Array)) {
        const cause = bytes ?? 'trimmed';
        counters.skipped[cause]++;
        events.push({ event: 'skipped', partition, first: offset, last: offset, cause });
        continue;
      }
      if (late) counters.late++;
      lease.told = next;
      const place = { partition, offset, receiveTimeUs, bytes, next };
      events.push({ event: 'batch', ...place, ...(late && { late }) });
    }
    for (const lease of leases.values()) this.tellPosition(lease, events);
  }

  private tellPosition(lease: Lease, events: ConsumerEvent[]): void {
    if (lease.revoked) return;
    const { partition } = lease;
    lease.next = this.parts.order.firstHeld(partition) ?? lease.read;
    if (lease.told >= lease.next) return;
    lease.told = lease.next;
    events.push({ event: 'position', partition, next: lease.next });
  }

  /** What was held without its bytes: from the log, where it may have been trimmed since. */
  private async readAgain(
    batches: readonly Ordered[],
  ): Promise<Map<Ordered, Uint8Array | 'unreadable' | undefined>> {
    const found = new Map<Ordered, Uint8Array | 'unreadable' | undefined>();
    for (const batch of batches) {
      try {
        const [entry] = await this.parts.log.get(batch.partition, [batch.offset]);
        found.set(batch, entry?.bytes);
      } catch (error) {
        if (!isDamage(error)) throw error;
        found.set(batch, 'unreadable');
      }
    }
    return found;
  }

  drop(partition: number): void {
    this.parts.order.drop(partition);
  }

  /** Until something may be due, ms; undefined where nothing waits. */
  dueInMs(): number | undefined {
    const { order, clock } = this.parts;
    const { oldestUs } = order;
    if (oldestUs === undefined) return undefined;
    const leftMs = (oldestUs + this.holdUs - clock.nowUs()) / 1000;
    return Math.min(lookMsMax, Math.max(lookMsMin, Math.ceil(leftMs)));
  }

  private get holdUs(): number {
    const { waitUs } = this.parts.order;
    return this.isPending ? waitUs : Math.min(waitUs, settleUs);
  }

  private *unread(leases: Iterable<Lease>): Generator<Lease> {
    const ends = this.parts.log.ends();
    for (const lease of leases) {
      if (isOpen(lease) && lease.read < ends[lease.partition].next) yield lease;
    }
  }
}

const isOpen = (lease: Lease | undefined): lease is Lease => lease !== undefined && !lease.revoked;
