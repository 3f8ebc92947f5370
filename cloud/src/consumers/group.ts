import type { FleetlogError } from '@fleetlog/shared/errors';
import type { Clock } from '@fleetlog/shared/util';
import type { Log } from '../log/log.js';
import { balance } from './balance.js';
import type { Checkpoints } from './checkpoints.js';
import type { Lease } from './lease.js';
import type { Member } from './member.js';
import type { Positions } from './types.js';

export interface GroupParts {
  log: Log;
  checkpoints: Checkpoints;
  clock: Clock;
  /** A member whose partition is wanted elsewhere has so long to commit what it was given. */
  handOverMsMax: number;
}

/**
 * The members of one group and which partitions each of them has. A partition changes hands in two steps: its member
 * is given nothing more, and when it has committed what it was given (or took too long, or is gone) the other one goes
 * on from the checkpoint. So what was delivered is delivered again only where it wasn't committed.
 */
export class Group {
  private readonly members = new Set<Member>();
  private readonly owners: (Member | undefined)[];
  /** Aborted when the partition has changed hands before the time was over. */
  private readonly handOvers = new Map<Lease, AbortController>();

  constructor(
    readonly name: string,
    private readonly parts: GroupParts,
  ) {
    this.owners = Array.from({ length: parts.log.partitionCount }, () => undefined);
  }

  get size(): number {
    return this.members.size;
  }

  ownerOf(partition: number): string | undefined {
    return this.owners[partition]?.id;
  }

  find(id: string): Member | undefined {
    for (const member of this.members) if (member.id === id) return member;
    return undefined;
  }

  add(member: Member): void {
    this.members.add(member);
    this.share();
  }

  /** Its partitions are somebody else's at once. */
  remove(member: Member): void {
    if (!this.members.delete(member)) return;
    for (const lease of member.leases.values()) this.release(member, lease);
    this.share();
  }

  wake(): void {
    for (const member of this.members) member.wake();
  }

  endSilent(error: () => FleetlogError): void {
    for (const member of this.members) {
      if (!member.isSilent) continue;
      member.end(error());
      this.remove(member);
    }
  }

  /**
   * Says that what is before these offsets is finished. Of partitions that aren't the member's any more nothing is
   * taken, and they are returned. Durable when it resolves. Errors: those of the log's `append`.
   */
  async commit(member: Member, positions: Positions): Promise<number[]> {
    member.hear();
    const taken = new Map<number, number>();
    const refused: number[] = [];
    for (const [partition, next] of positions) {
      const lease = member.leases.get(partition);
      // Nobody can have finished what it wasn't given.
      if (lease && next <= lease.next) taken.set(partition, next);
      else refused.push(partition);
    }
    if (taken.size === 0) return refused;
    await this.parts.checkpoints.advance(this.name, taken);
    for (const [partition, next] of taken) {
      const lease = member.leases.get(partition);
      if (!lease) continue;
      lease.committed = Math.max(lease.committed, next);
      if (lease.revoked && lease.committed >= lease.next) this.handOver(member, lease);
    }
    return refused;
  }

  private share(): void {
    const { log, checkpoints } = this.parts;
    const ends = log.ends();
    const wanted = balance([...this.members], this.owners);
    for (const [partition, member] of wanted.entries()) {
      const owner = this.owners[partition];
      if (owner === member || !member) continue;
      if (owner) {
        this.revoke(owner, owner.leases.get(partition)!);
        continue;
      }
      const next = checkpoints.get(this.name, partition)?.next ?? ends[partition].first;
      this.owners[partition] = member;
      member.grant(partition, next, ends[partition].next);
    }
  }

  private revoke(member: Member, lease: Lease): void {
    if (lease.revoked) return;
    member.revoke(lease);
    if (lease.committed >= lease.next) {
      // In a turn of its own: the caller is sharing out.
      queueMicrotask(() => this.handOver(member, lease));
      return;
    }
    const { clock, handOverMsMax } = this.parts;
    const done = new AbortController();
    this.handOvers.set(lease, done);
    void clock.sleep(handOverMsMax, done.signal).then(
      () => this.handOver(member, lease),
      () => undefined, // it has changed hands
    );
  }

  private handOver(member: Member, lease: Lease): void {
    if (member.leases.get(lease.partition) !== lease) return;
    this.release(member, lease);
    this.share();
  }

  private release(member: Member, lease: Lease): void {
    this.owners[lease.partition] = undefined;
    lease.revoked = true; // a read under way gives nothing more
    this.handOvers.get(lease)?.abort();
    this.handOvers.delete(lease);
    member.lose(lease);
  }
}
