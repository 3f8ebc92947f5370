import { randomBytes } from 'node:crypto';
import { FleetlogError } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';
import type { Fleet } from '../ingest/fleet.js';
import type { Log } from '../log/log.js';
import { Backlog } from './backlog.js';
import { Checkpoints } from './checkpoints.js';
import { EventOrder, HoldBudget } from './event-order.js';
import { Group } from './group.js';
import { Member, type MemberOptions } from './member.js';
import { ReadTurns } from './read-turns.js';
import {
  checkGroupName,
  type ConsumeFilter,
  type ConsumerEvent,
  type GroupCounters,
  type Positions,
} from './types.js';

export interface GroupLimits {
  groupsMax: number;
  membersMax: number;
  handOverMsMax: number;
  /** What members that ask for the order of event time hold back, together. */
  heldBytesMax: number;
  heldBatchesMax: number;
}

export const groupLimits: GroupLimits = {
  groupsMax: 10_000,
  membersMax: 1024,
  handOverMsMax: 5000,
  heldBytesMax: 128 * 1024 * 1024,
  heldBatchesMax: 1_000_000,
};

export interface GroupState {
  group: string;
  members: number;
  partitions: {
    partition: number;
    next: number;
    end: number;
    committedUs: number;
    member: string | undefined;
  }[];
}

export interface Joined {
  member: string;
  /** Pages of events; to be ended with `return` or by the signal, which frees its partitions for others. */
  events: AsyncGenerator<ConsumerEvent[]>;
}

const watchMs = 1000;

/** All groups of consumers: who reads, and how far each group is. */
export class Groups implements AsyncDisposable {
  private readonly live = new Map<string, Group>();
  /** Over all groups. */
  readonly counters: GroupCounters = { skipped: { trimmed: 0, unreadable: 0 }, late: 0 };
  private readonly held: HoldBudget;
  private backlog: Backlog | undefined;
  private readonly closing = new AbortController();
  private readonly watching: Promise<unknown>;
  private readonly turns: ReadTurns;

  private constructor(
    private readonly log: Log,
    private readonly checkpoints: Checkpoints,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly limits: GroupLimits,
  ) {
    this.held = new HoldBudget(limits.heldBytesMax, limits.heldBatchesMax);
    this.turns = new ReadTurns(clock, this.closing.signal, loopUtilization());
    this.watching = Promise.all([this.watchLog(), this.watchMembers()]);
  }

  static async open(options: {
    log: Log;
    clock: Clock;
    logger: Logger;
    limits?: GroupLimits;
  }): Promise<Groups> {
    const { log, clock, logger, limits = groupLimits } = options;
    return new Groups(log, await Checkpoints.load(log, clock), clock, logger, limits);
  }

  /** While ingest is busy, readers leave it most of the process. */
  giveWayTo(ingest: { readonly isBusy: boolean }): void {
    this.turns.giveWayTo(() => ingest.isBusy);
  }

  /** Where gateways say what they have yet: members that ask for the order of event time wait for it. */
  waitFor(fleet: Pick<Fleet, 'held' | 'presence'>): void {
    this.backlog = new Backlog(fleet, this.clock);
  }

  /**
   * A group that has no checkpoint begins where `start` says; that becomes its checkpoint at once, so that a member
   * that takes over later begins there as well. Errors: FLEETLOG_USAGE, FLEETLOG_BUSY, those of the log.
   */
  async join(
    name: string,
    start: () => Promise<Positions>,
    options: MemberOptions,
    signal: AbortSignal,
  ): Promise<Joined> {
    checkGroupName(name);
    this.closing.signal.throwIfAborted();
    const isNew = !this.checkpoints.has(name);
    if (isNew && this.checkpoints.groups.length >= this.limits.groupsMax) {
      throw full('groups', this.limits.groupsMax, 'delete one with "fleetlog groups delete"');
    }
    if (this.memberCount >= this.limits.membersMax) {
      throw full('members of groups', this.limits.membersMax, 'try again when one has ended');
    }
    if (isNew) await this.checkpoints.place(name, await start());
    const id = randomBytes(8).toString('hex');
    const first: ConsumerEvent = { event: 'joined', group: name, member: id, isNew };
    const ordered = options.order && {
      order: new EventOrder(options.order, this.held),
      backlog: { isPending: this.isPending.bind(this) },
    };
    const { log, clock, counters, turns } = this;
    const member = new Member(id, options, {
      log,
      clock,
      first,
      counters,
      turns,
      readers: () => this.memberCount,
      ordered,
    });
    return { member: id, events: this.eventsOf(name, member, signal) };
  }

  /**
   * Says how far a member is; partitions that aren't its own any more are returned. Without positions: a sign of life.
   * Errors: FLEETLOG_NOT_FOUND where the member is gone, those of the log.
   */
  async commit(name: string, member: string, positions: Positions): Promise<number[]> {
    const group = this.live.get(name);
    const found = group?.find(member);
    if (!group || !found) {
      throw new FleetlogError(
        'FLEETLOG_NOT_FOUND',
        `Group ${name} has no member ${member} (any more); join again, and go on from the checkpoint.`,
      );
    }
    return group.commit(found, positions);
  }

  states(): GroupState[] {
    return this.checkpoints.groups.map((group) => this.state(group));
  }

  /** Errors: FLEETLOG_NOT_FOUND. */
  state(name: string): GroupState {
    if (!this.checkpoints.has(name)) {
      const known = this.checkpoints.groups;
      throw new FleetlogError(
        'FLEETLOG_NOT_FOUND',
        `There is no group ${name.slice(0, 63)}; ${known.length === 0 ? 'there are none yet' : `there are ${known.slice(0, 20).join(', ')}`}.`,
      );
    }
    const group = this.live.get(name);
    const partitions = this.log.ends().map(({ partition, first, next: end }) => {
      const { next = first, committedUs = 0 } = this.checkpoints.get(name, partition) ?? {};
      return { partition, next: Math.max(first, next), end, committedUs, member: group?.ownerOf(partition) };
    });
    return { group: name, members: group?.size ?? 0, partitions };
  }

  /** Errors: FLEETLOG_USAGE while somebody reads, those of the log. */
  async place(name: string, positions: Positions): Promise<void> {
    checkGroupName(name);
    this.checkQuiet(name);
    await this.checkpoints.place(name, positions);
  }

  /** Errors: as `place`, FLEETLOG_NOT_FOUND. */
  async delete(name: string): Promise<void> {
    this.state(name);
    this.checkQuiet(name);
    await this.checkpoints.delete(name);
  }

  get memberCount(): number {
    let count = 0;
    for (const { size } of this.live.values()) count += size;
    return count;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closing.abort(new FleetlogError('FLEETLOG_INTERRUPTED', 'The cloud is stopping.'));
    await this.watching;
  }

  private async *eventsOf(
    name: string,
    member: Member,
    signal: AbortSignal,
  ): AsyncGenerator<ConsumerEvent[]> {
    const group = this.live.get(name) ?? this.newGroup(name);
    this.live.set(name, group);
    group.add(member);
    this.logger.info({ group: name, member: member.id }, 'a member has joined');
    try {
      yield* member.events(AbortSignal.any([signal, this.closing.signal]));
    } finally {
      group.remove(member);
      if (group.size === 0 && this.live.get(name) === group) this.live.delete(name);
      this.logger.info({ group: name, member: member.id }, 'a member has left');
    }
  }

  private newGroup(name: string): Group {
    const { log, checkpoints, clock } = this;
    return new Group(name, { log, checkpoints, clock, handOverMsMax: this.limits.handOverMsMax });
  }

  private isPending(filter: ConsumeFilter, waitUs: number): boolean {
    return this.backlog?.isPending(filter, waitUs) ?? false;
  }

  private checkQuiet(name: string): void {
    const members = this.live.get(name)?.size ?? 0;
    if (members === 0) return;
    throw new FleetlogError(
      'FLEETLOG_USAGE',
      `Group ${name} has ${members} member${members === 1 ? '' : 's'} reading; end ${members === 1 ? 'it' : 'them'} first.`,
    );
  }

  private async watchLog(): Promise<void> {
    const { signal } = this.closing;
    while (!signal.aborted) {
      await this.log.grew.wait(signal).catch(() => undefined); // the loop looks at the signal
      for (const group of this.live.values()) group.wake();
    }
  }

  private async watchMembers(): Promise<void> {
    const { signal } = this.closing;
    const silent = (): FleetlogError =>
      new FleetlogError('FLEETLOG_INTERRUPTED', 'The member gave no sign of life for too long.');
    while (!signal.aborted) {
      await this.clock.sleep(watchMs, signal).catch(() => undefined); // the loop looks at the signal
      for (const group of this.live.values()) group.endSilent(silent);
      if (this.held.batches === 0) continue;
      await this.backlog?.look().catch((error: unknown) => {
        if (!signal.aborted) this.logger.error({ error }, 'what gateways have yet is not known');
      });
    }
  }
}

/** Part of the time since its last call that the event loop wasn't idle. */
function loopUtilization(): () => number {
  let last = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    return utilization;
  };
}

const full = (what: string, max: number, advice: string): FleetlogError =>
  new FleetlogError('FLEETLOG_BUSY', `The cloud has ${max} ${what} already, its limit; ${advice}.`);
