import assert from 'node:assert/strict';
import { silentLogger } from '@fleetlog/shared/log';
import { systemClock } from '@fleetlog/shared/util';
import { groupLimits, Groups, type Joined } from '#cloud/consumers/groups.js';
import type { ConsumerEvent } from '#cloud/consumers/types.js';
import type { Log } from '#cloud/log/log.js';

/** What happens to a log and to groups that read it; numbers are taken modulo what there is. */
export type Step =
  | { append: number; count: number }
  | { trim: number; share: number }
  | { remove: number; at: number; count: number }
  | { join: number; earliest: boolean }
  | { take: number }
  | { commit: number; behind: number }
  | { leave: number }
  | { place: number; partition: number; share: number }
  | { forget: number }
  | { restart: true };

interface Reader {
  group: string;
  joined: Joined;
  stop: AbortController;
  /** By partition that it was given: the offset behind what it has seen. */
  positions: Map<number, number>;
  /** Partitions that it must be told to have lost before anything else of them is given. */
  lost: Set<number>;
}

const groupNames = ['a', 'b', 'c'];
const membersMax = 6;
/** Offsets of each partition that hold an entry, and where each group is: the whole model. */
export class GroupsModel {
  private readonly kept: Set<number>[];
  private readonly checkpoints = new Map<string, Map<number, number>>();
  private readers: Reader[] = [];
  private groups!: Groups;
  private log!: Log;
  private number = 0;

  private constructor(
    private readonly open: () => Promise<Log>,
    partitions: number,
  ) {
    this.kept = Array.from({ length: partitions }, () => new Set());
  }

  static async start(open: () => Promise<Log>): Promise<GroupsModel> {
    const log = await open();
    const model = new GroupsModel(open, log.partitionCount);
    await model.serve(log);
    return model;
  }

  private async serve(log: Log): Promise<void> {
    this.log = log;
    const limits = { ...groupLimits, groupsMax: 10, membersMax: 100, handOverMsMax: 0 };
    this.groups = await Groups.open({ log, clock: systemClock, logger: silentLogger, limits });
  }

  async step(step: Step): Promise<void> {
    if ('append' in step) await this.append(step.append % this.kept.length, step.count);
    else if ('trim' in step) await this.trim(step.trim % this.kept.length, step.share);
    else if ('remove' in step) await this.remove(step.remove % this.kept.length, step.at, step.count);
    else if ('join' in step) await this.join(groupNames[step.join % groupNames.length], step.earliest);
    else if ('restart' in step) await this.restart();
    else if ('place' in step) await this.place(groupNames[step.place % groupNames.length], step);
    else if ('forget' in step) await this.forget(groupNames[step.forget % groupNames.length]);
    else if (this.readers.length > 0) {
      const which = 'take' in step ? step.take : 'commit' in step ? step.commit : step.leave;
      const reader = this.readers[which % this.readers.length];
      if ('take' in step) await this.take(reader);
      else if ('commit' in step) await this.commit(reader, step.behind);
      else await this.leave(reader);
    }
    this.checkStates();
  }

  private async append(partition: number, count: number): Promise<void> {
    const entries = Array.from({ length: count }, () => {
      return { partition, receiveTimeUs: 1000, bytes: Buffer.from(`${this.number++}`) };
    });
    for (const offset of await this.log.append(entries)) this.kept[partition].add(offset);
  }

  private async trim(partition: number, share: number): Promise<void> {
    const { first, next } = this.log.ends()[partition];
    const to = first + Math.floor((next - first) * share);
    await this.log.trim(partition, to);
    for (const offset of this.kept[partition]) if (offset < to) this.kept[partition].delete(offset);
  }

  private async remove(partition: number, at: number, count: number): Promise<void> {
    const { first, next } = this.log.ends()[partition];
    if (!this.log.removal || next === first) return;
    const from = first + (at % (next - first));
    await this.log.removal.remove(partition, [[from, from + count - 1]]);
    for (let offset = from; offset < from + count; offset++) this.kept[partition].delete(offset);
  }

  private async join(group: string, earliest: boolean): Promise<void> {
    if (this.readers.length === membersMax) return;
    const start = new Map(
      this.log.ends().map(({ partition, first, next }) => [partition, earliest ? first : next]),
    );
    if (!this.checkpoints.has(group)) this.checkpoints.set(group, start);
    const stop = new AbortController();
    const options = { filter: {}, untilEnd: false, silenceMsMax: undefined, heartbeatMs: 1 };
    const joined = await this.groups.join(group, async () => start, options, stop.signal);
    const reader = { group, joined, stop, positions: new Map(), lost: new Set<number>() };
    this.readers.push(reader);
    await this.see(reader, (await joined.events.next()).value as ConsumerEvent[]); // from here on it has its share
  }

  /** Reads all that there is for it now. */
  private async take(reader: Reader): Promise<void> {
    for (;;) {
      const events = (await reader.joined.events.next()).value as ConsumerEvent[];
      await this.see(reader, events);
      if (events.some(({ event }) => event === 'alive')) return;
    }
  }

  private async see({ group, positions, lost }: Reader, events: readonly ConsumerEvent[]): Promise<void> {
    for (const event of events) {
      if (event.event === 'lost') lost.delete(event.partition);
      else if (event.event !== 'revoked' && 'partition' in event) {
        this.check(event, !lost.has(event.partition), 'of what it had, a commit is taken');
      }
      if (event.event === 'assigned') {
        const { partition, next } = event;
        const { first } = this.log.ends()[partition];
        positions.set(partition, next);
        this.check(
          event,
          next <= Math.max(first, this.checkpoint(group, partition)),
          'what is not finished comes again',
        );
      } else if (event.event === 'lost') positions.delete(event.partition);
      else if (event.event === 'batch' || event.event === 'skipped') {
        const { partition } = event;
        const from = positions.get(partition);
        assert.ok(from !== undefined, 'only what was assigned is given');
        const [to, next] =
          event.event === 'batch'
            ? [event.offset, event.offset + 1]
            : [event.last + 1, Math.max(from, event.last + 1)];
        this.check(event, !this.has(partition, from, to), 'nothing is left out');
        if (event.event === 'batch') {
          this.check(event, event.offset >= from, 'in their order, each once');
          this.check(event, this.kept[partition].has(event.offset), 'what is given is there');
        }
        positions.set(partition, next);
      }
    }
  }

  private has(partition: number, from: number, to: number): boolean {
    for (const offset of this.kept[partition]) if (offset >= from && offset < to) return true;
    return false;
  }

  private async commit(reader: Reader, behind: number): Promise<void> {
    const { group, positions, lost } = reader;
    const { member } = reader.joined;
    const state = this.groups.state(group);
    const next = new Map([...positions].map(([partition, at]) => [partition, Math.max(0, at - behind)]));
    const refused = await this.groups.commit(group, member, next);
    for (const [partition, at] of next) {
      const isOwner = state.partitions[partition].member === member;
      const isTaken = !refused.includes(partition);
      assert.ok(isOwner || !isTaken, 'a partition has one member');
      // It may have lost and got it again, and not be told yet.
      if (isOwner && !isTaken) lost.add(partition);
      if (isTaken) this.place1(group, partition, Math.max(at, this.checkpoint(group, partition)));
    }
  }

  private async leave(reader: Reader): Promise<void> {
    reader.stop.abort();
    while (!(await reader.joined.events.next()).done);
    this.readers = this.readers.filter((one) => one !== reader);
  }

  private async place(group: string, step: { partition: number; share: number }): Promise<void> {
    if (!this.checkpoints.has(group)) return;
    const partition = step.partition % this.kept.length;
    const { first, next } = this.log.ends()[partition];
    const to = first + Math.floor((next - first) * step.share);
    const placed = this.groups.place(group, new Map([[partition, to]]));
    if (this.readers.some((reader) => reader.group === group)) await assert.rejects(placed, /reading/);
    else {
      await placed;
      this.place1(group, partition, to);
    }
  }

  private async forget(group: string): Promise<void> {
    const forgotten = this.groups.delete(group);
    const isRead = this.readers.some((reader) => reader.group === group);
    if (isRead || !this.checkpoints.has(group)) await assert.rejects(forgotten);
    else {
      await forgotten;
      this.checkpoints.delete(group);
    }
  }

  private async restart(): Promise<void> {
    await this.end();
    await this.serve(await this.open());
    for (const [partition, { first, next }] of this.log.ends().entries()) {
      const offsets: number[] = [];
      for await (const { offset } of this.log.read(partition, first)) offsets.push(offset);
      assert.deepEqual(offsets, [...this.kept[partition]], 'the log is what it was');
      assert.ok(offsets.every((offset) => offset < next));
    }
  }

  /** Ends what reads, and closes the log. */
  async end(): Promise<void> {
    for (const reader of this.readers) await this.leave(reader);
    await this.groups[Symbol.asyncDispose]();
    await this.log[Symbol.asyncDispose]();
  }

  private checkStates(): void {
    const states = this.groups.states();
    assert.deepEqual(
      states.map(({ group }) => group),
      [...this.checkpoints.keys()].sort(),
    );
    for (const { group, partitions, members } of states) {
      assert.equal(members, this.readers.filter((reader) => reader.group === group).length);
      for (const { partition, next, end } of partitions) {
        const ends = this.log.ends()[partition];
        assert.equal(next, Math.max(ends.first, this.checkpoint(group, partition)), 'the checkpoint');
        assert.equal(end, ends.next);
      }
    }
  }

  private checkpoint(group: string, partition: number): number {
    return this.checkpoints.get(group)?.get(partition) ?? 0;
  }

  private place1(group: string, partition: number, next: number): void {
    this.checkpoints.get(group)?.set(partition, next);
  }

  private check(event: ConsumerEvent, holds: boolean, what: string): void {
    if (!holds) assert.fail(`${what}: ${JSON.stringify({ ...event, bytes: undefined })}`);
  }
}
