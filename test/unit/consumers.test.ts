import assert from 'node:assert/strict';
import { join } from 'node:path';
import { isFleetlogError } from '@fleetlog/shared/errors';
import { silentLogger } from '@fleetlog/shared/log';
import { systemClock } from '@fleetlog/shared/util';
import { groupLimits, Groups, type Joined } from '#cloud/consumers/groups.js';
import { startAt } from '#cloud/consumers/start-at.js';
import type { ConsumerEvent } from '#cloud/consumers/types.js';
import type { Log } from '#cloud/log/log.js';
import { openLog } from '#cloud/log/rocksdb-log.js';
import { MemoryLog } from '../support/memory-log.js';
import { append, canBatch } from '../support/recorded.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

const parts = { logger: silentLogger, clock: systemClock };
const patient = { ...groupLimits, handOverMsMax: 600_000 };

async function fill(log: Log, partition: number, count: number): Promise<void> {
  await log.append(
    Array.from({ length: count }, () => ({ partition, receiveTimeUs: 1000, bytes: Buffer.from('x') })),
  );
}

/** A member that takes events as a test asks for them. */
class Reader {
  readonly seen: ConsumerEvent[] = [];
  failure: unknown;
  private readonly stop = new AbortController();
  private running: Promise<void> | undefined;
  joined: Joined | undefined;

  constructor(
    readonly groups: Groups,
    readonly group = 'g',
  ) {}

  static async join(
    groups: Groups,
    log: Log,
    options: {
      group?: string;
      from?: string;
      untilEnd?: boolean;
      silenceMsMax?: number;
      heartbeatMs?: number;
      gateways?: string[];
    } = {},
  ): Promise<Reader> {
    const { group = 'g', from = 'earliest', untilEnd = false, silenceMsMax, heartbeatMs = 60_000 } = options;
    const reader = new Reader(groups, group);
    const filter = { gateways: options.gateways && new Set(options.gateways) };
    reader.joined = await groups.join(
      group,
      () => startAt(log, from, Number),
      { filter, untilEnd, silenceMsMax, heartbeatMs },
      reader.stop.signal,
    );
    reader.running = reader.run(reader.joined.events);
    return reader;
  }

  private async run(pages: AsyncIterable<ConsumerEvent[]>): Promise<void> {
    try {
      for await (const events of pages) this.seen.push(...events);
    } catch (error) {
      this.failure = error;
    }
  }

  get batches(): string[] {
    return this.seen.flatMap((one) => (one.event === 'batch' ? [`${one.partition}:${one.offset}`] : []));
  }

  names(event: ConsumerEvent['event']): number[] {
    return this.seen.flatMap((one) =>
      one.event === event && 'partition' in one ? [one.partition as number] : [],
    );
  }

  commit(next: Record<number, number>): Promise<number[]> {
    const positions = new Map(Object.entries(next).map(([partition, at]) => [Number(partition), at]));
    return this.groups.commit(this.group, this.joined!.member, positions);
  }

  end(): Promise<void> {
    this.stop.abort(new Error('the test is done with it'));
    return this.ended();
  }

  async ended(): Promise<void> {
    await this.running;
  }
}

describe('groups of consumers', () => {
  it('gives each batch in order, then each new one, and goes on from what was committed', async () => {
    const log = new MemoryLog(1);
    await using groups = await Groups.open({ log, ...parts });
    await fill(log, 0, 3);
    const first = await Reader.join(groups, log);
    await until('three have come', () => first.batches.length === 3);
    await fill(log, 0, 2);
    await until('two more', () => first.batches.length === 5);
    assert.deepEqual(first.batches, ['0:0', '0:1', '0:2', '0:3', '0:4']);
    assert.deepEqual(await first.commit({ 0: 2 }), []);
    await first.end();
    const second = await Reader.join(groups, log, { from: 'latest' });
    await until('what was not committed', () => second.batches.length === 3);
    assert.deepEqual(second.batches, ['0:2', '0:3', '0:4']);
    await second.end();
  });

  it('a checkpoint is as durable as the log, and outlives a restart', async () => {
    await using folder = await tempFolder('groups');
    {
      await using log = await openLog({ path: join(folder.path, 'log'), partitions: 2, ...parts });
      await using groups = await Groups.open({ log, ...parts });
      await fill(log, 1, 4);
      const reader = await Reader.join(groups, log);
      await until('all came', () => reader.batches.length === 4);
      await reader.commit({ 1: 3 });
      await reader.end();
    }
    await using log = await openLog({ path: join(folder.path, 'log'), ...parts });
    await using groups = await Groups.open({ log, ...parts });
    assert.deepEqual(
      groups.state('g').partitions.map(({ next, end }) => [next, end]),
      [
        [0, 0],
        [3, 4],
      ],
    );
    await groups.delete('g');
    assert.deepEqual(groups.states(), []);
    await using again = await Groups.open({ log, ...parts });
    assert.deepEqual(again.states(), []);
  });

  it('a new group that begins at the end begins there for every later member', async () => {
    const log = new MemoryLog(1);
    await using groups = await Groups.open({ log, ...parts });
    await fill(log, 0, 5);
    const first = await Reader.join(groups, log, { from: 'latest' });
    await first.end();
    await fill(log, 0, 1);
    const second = await Reader.join(groups, log, { from: 'earliest' });
    await until('what came since', () => second.batches.length === 1);
    assert.deepEqual(second.batches, ['0:5']);
    await second.end();
  });

  it('members share the partitions; a new one gets its part once what was delivered is committed', async () => {
    const log = new MemoryLog(4);
    await using groups = await Groups.open({ log, ...parts, limits: patient });
    for (const partition of [0, 1, 2, 3]) await fill(log, partition, 2);
    const one = await Reader.join(groups, log);
    await until('all eight', () => one.batches.length === 8);
    const two = await Reader.join(groups, log);
    await until('two are revoked', () => one.names('revoked').length === 2);
    const moving = one.names('revoked');
    assert.deepEqual(two.names('assigned'), [], 'nothing before the commit');
    assert.deepEqual(await one.commit({ [moving[0]]: 2 }), []);
    await until('one has moved', () => two.names('assigned').length === 1);
    assert.deepEqual(await one.commit({ [moving[0]]: 2 }), [moving[0]], 'it is no longer its own');
    await one.commit({ [moving[1]]: 2 });
    await until('both have moved', () => two.names('assigned').length === 2);
    for (const partition of [0, 1, 2, 3]) await fill(log, partition, 1);
    await until('the new ones came', () => one.batches.length + two.batches.length === 12);
    assert.deepEqual(two.batches.sort(), moving.map((partition) => `${partition}:2`).sort());
    await one.end();
    await two.end();
  });

  it('what a dead member was given and did not commit goes to another', async () => {
    const log = new MemoryLog(2);
    await using groups = await Groups.open({ log, ...parts, limits: patient });
    await fill(log, 0, 3);
    await fill(log, 1, 3);
    const one = await Reader.join(groups, log);
    await until('it has everything', () => one.batches.length === 6);
    await one.commit({ 0: 1, 1: 2 });
    const two = await Reader.join(groups, log);
    await one.end();
    await until('the other has the rest', () => two.batches.length === 3);
    assert.deepEqual(two.batches.sort(), ['0:1', '0:2', '1:2']);
    await two.end();
  });

  it('a member that is silent for too long counts as dead, and may not commit', async () => {
    const log = new MemoryLog(1);
    await using groups = await Groups.open({ log, ...parts });
    await fill(log, 0, 1);
    const silent = await Reader.join(groups, log, { silenceMsMax: 1 });
    await until('it is ended', () => silent.failure);
    assert.ok(isFleetlogError(silent.failure, 'FLEETLOG_INTERRUPTED'));
    await assert.rejects(silent.commit({ 0: 1 }), (error) => isFleetlogError(error, 'FLEETLOG_NOT_FOUND'));
  });

  it('nobody commits what it was not given', async () => {
    const log = new MemoryLog(2);
    await using groups = await Groups.open({ log, ...parts });
    await fill(log, 0, 1);
    const reader = await Reader.join(groups, log);
    await until('it has it', () => reader.batches.length === 1);
    assert.deepEqual(await reader.commit({ 0: 2, 7: 1 }), [0, 7]);
    assert.equal(groups.state('g').partitions[0].next, 0);
    await reader.end();
  });

  it('says what was trimmed before the group read it, and goes on behind it', async () => {
    const log = new MemoryLog(1);
    await using groups = await Groups.open({ log, ...parts });
    await fill(log, 0, 10);
    await groups.place('g', new Map([[0, 2]]));
    await log.trim(0, 6);
    const reader = await Reader.join(groups, log);
    await until('the rest came', () => reader.batches.length === 4);
    assert.deepEqual(
      reader.seen.find(({ event }) => event === 'skipped'),
      { event: 'skipped', partition: 0, first: 2, last: 5, cause: 'trimmed' },
    );
    assert.equal(reader.batches[0], '0:6');
    assert.deepEqual(groups.counters.skipped, { trimmed: 4, unreadable: 0 });
    await reader.end();
  });

  it('a filter leaves out others and tells how far it is, so that lag is true', async () => {
    const log = new MemoryLog(1);
    await using groups = await Groups.open({ log, ...parts });
    await append(log, [canBatch([1], { gateway: 'a' }), canBatch([2], { gateway: 'b' })]);
    const reader = await Reader.join(groups, log, { gateways: ['a'], untilEnd: true });
    await reader.ended();
    assert.deepEqual(reader.batches, ['0:0']);
    assert.deepEqual(reader.seen.slice(-2), [{ event: 'position', partition: 0, next: 2 }, { event: 'end' }]);
  });

  it('until the end: ends with what was there, and not before', async () => {
    const log = new MemoryLog(2);
    await using groups = await Groups.open({ log, ...parts });
    await fill(log, 0, 300);
    await fill(log, 1, 1);
    const reader = await Reader.join(groups, log, { untilEnd: true });
    await reader.ended();
    assert.equal(reader.batches.length, 301);
    assert.equal(reader.failure, undefined);
  });

  it('is alive while nothing happens', async () => {
    const log = new MemoryLog(1);
    await using groups = await Groups.open({ log, ...parts });
    const reader = await Reader.join(groups, log, { heartbeatMs: 5 });
    await until('two signs of life', () => reader.seen.filter(({ event }) => event === 'alive').length > 1);
    await reader.end();
  });

  it('a group at work is neither reset nor deleted', async () => {
    const log = new MemoryLog(1);
    await using groups = await Groups.open({ log, ...parts });
    const reader = await Reader.join(groups, log);
    await until('it has joined', () => reader.seen.length > 0);
    const isRefused = (error: unknown): boolean => isFleetlogError(error, 'FLEETLOG_USAGE');
    await assert.rejects(groups.place('g', new Map([[0, 0]])), isRefused);
    await assert.rejects(groups.delete('g'), isRefused);
    await reader.end();
    await groups.place('g', new Map([[0, 0]]));
  });

  it('limits members and groups', async () => {
    const log = new MemoryLog(1);
    const limits = { ...groupLimits, membersMax: 1, groupsMax: 1 };
    await using groups = await Groups.open({ log, ...parts, limits });
    const reader = await Reader.join(groups, log);
    await until('it has joined', () => reader.seen.length > 0);
    const isBusy = (error: unknown): boolean => isFleetlogError(error, 'FLEETLOG_BUSY');
    await assert.rejects(Reader.join(groups, log), isBusy);
    await reader.end();
    await assert.rejects(Reader.join(groups, log, { group: 'other' }), isBusy);
    await assert.rejects(Reader.join(groups, log, { group: '../x' }), (error) =>
      isFleetlogError(error, 'FLEETLOG_USAGE'),
    );
  });
});

describe('where a group begins', () => {
  it('earliest, latest, a time, and offsets by partition', async () => {
    const log = new MemoryLog(2);
    await fill(log, 0, 3);
    await log.append([{ partition: 0, receiveTimeUs: 5000, bytes: Buffer.from('y') }]);
    await fill(log, 1, 2);
    const at = async (where: string): Promise<number[]> => [...(await startAt(log, where, Number)).values()];
    assert.deepEqual(await at('earliest'), [0, 0]);
    assert.deepEqual(await at('latest'), [4, 2]);
    assert.deepEqual(await at('2000'), [3, 2]);
    assert.deepEqual(await at('1:1'), [0, 1]);
    assert.deepEqual(await at('1:1,0:4'), [4, 1]);
    await assert.rejects(at('5:0'), /no partition 5/);
    await assert.rejects(at('0:5'), /ends at offset 4/);
  });
});
