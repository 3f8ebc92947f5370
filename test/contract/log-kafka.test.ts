import assert from 'node:assert/strict';
import { basename, join } from 'node:path';
import { Producer } from '@platformatic/kafka';
import { isFleetlogError } from '@fleetlog/shared/errors';
import { silentLogger } from '@fleetlog/shared/log';
import { systemClock } from '@fleetlog/shared/util';
import { openKafkaLog, openSharedKafkaLog } from '#cloud/log/kafka/open-kafka-log.js';
import { openIndex } from '#cloud/index/index.js';
import { heldSequences } from '#cloud/ingest/held.js';
import { verify } from '#cloud/integrity/verify.js';
import type { Log, SharedLog } from '#cloud/log/log.js';
import { Retention } from '#cloud/retention/retention.js';
import { checkRetention } from '#cloud/retention/rules.js';
import { allTrimmed } from '#cloud/retention/trimmed.js';
import { all } from '../support/collect.js';
import { FakeFleet } from '../support/fake-fleet.js';
import { whyNoKafka } from '../support/kafka/jars.js';
import { Kafka } from '../support/kafka/kafka.js';
import { canBatch } from '../support/recorded.js';
import { tempFolder } from '../support/temp-folder.js';
import { groupsContract } from './groups-contract.js';
import { until } from '../support/until.js';
import { entry, logContract, textOf, textsIn } from './log-contract.js';

describe('log on Kafka', function () {
  this.timeout(180_000);
  let folder: Awaited<ReturnType<typeof tempFolder>> | undefined;
  let kafka: Kafka;

  before(async function () {
    const missing = whyNoKafka();
    if (missing) {
      console.log(`      skipped: ${missing}`);
      this.skip();
    }
    folder = await tempFolder('kafka');
    kafka = await Kafka.start(folder.path);
  });
  after(async () => {
    await kafka?.[Symbol.asyncDispose]();
    await folder?.[Symbol.asyncDispose]();
  });

  const open = (path: string, topic = basename(path), partitions?: number): Promise<Log> =>
    openKafkaLog({
      path,
      brokers: kafka.brokers,
      clientId: 'fleetlog-test',
      topic,
      partitions: partitions ?? 2,
      replicas: 1,
      logger: silentLogger,
      clock: systemClock,
    });

  const kind = { name: 'kafka', open, isDense: false, modelRuns: 4 };
  logContract(kind);
  groupsContract(kind);

  it('a second cloud takes the log over, and the first can write no more', async () => {
    await using one = await tempFolder('log');
    await using two = await tempFolder('log');
    await using first = await open(one.path, 'taken-over');
    await first.append([entry(0, 'a')], [{ key: 'k', value: Buffer.from('1') }]);
    await using second = await open(two.path, 'taken-over');
    await assert.rejects(first.append([entry(0, 'b')], [{ key: 'k', value: Buffer.from('2') }]));
    await assert.rejects(first.append([entry(0, 'b')]), (error) => isFleetlogError(error, 'FLEETLOG_LOCKED'));
    await second.append([entry(0, 'c')]);
    assert.deepEqual(await textsIn(second, 0), ['a', 'c']);
    assert.equal(
      String(Buffer.from((await second.note('k')) ?? [])),
      '1',
      'notes come with the log to another machine',
    );
  });

  it('forgets what no rule keeps of the beginning of a partition; index and notes are made again from the topic', async () => {
    await using one = await tempFolder('log');
    await using two = await tempFolder('log');
    const gateways = ['truck-1', 'truck-2', 'truck-3'];
    const epoch = '0011223344556677';
    const hourUs = 3600e6;
    const nowUs = systemClock.nowUs();
    const every = { every: '1h', rules: [{ gateway: 'truck-*', maxAge: '1h' }] };
    const { rules } = checkRetention(every, assert.fail);
    const parts = { logger: silentLogger, clock: systemClock };
    const serve = async (path: string) => {
      const log = await open(path, 'with-retention', 2);
      const index = await openIndex({ log, path: join(path, 'index'), ...parts });
      await index.caughtUp(AbortSignal.timeout(60_000));
      const retention = await Retention.open({ rules, everyMs: 1, log, index, ...parts });
      return { log, index, retention };
    };
    const state = async ({ log, index }: Awaited<ReturnType<typeof serve>>): Promise<unknown> => {
      const streams = await all(index.streams());
      const trimmed = await allTrimmed(log);
      return {
        ends: log.ends(),
        streams: streams.map(({ gateway, batches, firstTimeUs }) => [gateway, batches, firstTimeUs]),
        trimmed: [...trimmed].map(([life, ranges]) => `${life} ${ranges.toFlat().join()}`).sort(),
        first: await Promise.all([0, 1].map(async (p) => (await all(log.read(p, 0)))[0]?.offset)),
      };
    };

    const first = await serve(one.path);
    for (const [sequence, agoUs] of [3, 2, 0].entries()) {
      const entries = gateways.map((gateway) => {
        const bytes = canBatch([nowUs - agoUs * hourUs], { gateway, epoch, sequence });
        return { partition: first.log.partitionOf(gateway), receiveTimeUs: nowUs - agoUs * hourUs, bytes };
      });
      await first.log.append(
        entries,
        gateways.map((gateway) => ({
          key: `held/${gateway}/${epoch}/can0`,
          value: Buffer.from(`[0,${sequence}]`),
        })),
      );
    }
    const held = gateways[1];
    const range = { gateway: held, fromUs: nowUs - 2.5 * hourUs, toUs: nowUs - hourUs };
    const { id } = await first.retention.withHolds((holds) =>
      holds.add({ ...range, reason: 'accident', by: 'ada' }),
    );
    const { batches } = await first.retention.pass();
    // What is held, and what came behind it in its partition, stays.
    const ofHeld = gateways.filter(
      (gateway) => first.log.partitionOf(gateway) === first.log.partitionOf(held),
    );
    const seen = (await all(first.index.streams())).map(({ gateway, batches: count }) => [gateway, count]);
    assert.deepEqual(
      seen,
      gateways.map((gateway) => [gateway, ofHeld.includes(gateway) ? (gateway < held ? 1 : 2) : 1]),
    );
    assert.equal(batches, 9 - seen.reduce((sum, [, count]) => sum + Number(count), 0));
    await first.retention.withHolds((holds) => holds.remove(id, { by: 'ada', reason: 'over' }));
    await first.retention.pass();
    const before = await state(first);
    assert.deepEqual(
      (before as { streams: unknown[] }).streams.map((row) => (row as unknown[])[1]),
      [1, 1, 1],
    );
    const fleet = new FakeFleet();
    fleet.sequences = await all(heldSequences(first.log));
    const verified = await all(verify({ ...first, fleet }, AbortSignal.timeout(60_000)));
    assert.deepEqual(
      verified.filter(({ event }) => event === 'problem'),
      [],
    );
    for (const part of [first.retention, first.index, first.log]) await part[Symbol.asyncDispose]();

    const again = await serve(two.path);
    assert.deepEqual(await state(again), before, 'an empty folder becomes what the lost one was');
    for (const part of [again.retention, again.index, again.log]) await part[Symbol.asyncDispose]();
  });

  it('shared: who takes a partition over knows all of it, and the one before can write no more', async () => {
    const openShared = (path: string): Promise<SharedLog> =>
      openSharedKafkaLog({
        path,
        brokers: kafka.brokers,
        clientId: 'fleetlog-test',
        topic: 'shared',
        partitions: 2,
        replicas: 1,
        logger: silentLogger,
        clock: systemClock,
      });
    await using one = await tempFolder('log');
    await using two = await tempFolder('log');
    await using first = await openShared(one.path);
    await using second = await openShared(two.path);
    const taken = Promise.withResolvers<void>();
    const mine = await first.take(0, () => taken.resolve());
    const other = await first.take(1, () => assert.fail('nobody takes the other partition'));
    assert.deepEqual(await mine.append([entry(0, '0')], [{ key: 'held/x', value: Buffer.from('0') }]), [0]);
    let isTaken = false;
    const writing = (async () => {
      for (let i = 1; !isTaken; i++) {
        await mine.append([entry(0, String(i))], [{ key: 'held/x', value: Buffer.from(String(i)) }]);
      }
    })().catch(() => undefined); // it is taken over in the middle of one
    const theirs = await second.take(0, () => assert.fail('nobody takes it back'));
    const noted = Number(Buffer.from((await theirs.note('held/x')) ?? []).toString());
    const texts = await textsIn(second, 0);
    isTaken = true;
    await writing;
    assert.deepEqual(texts, await textsIn(second, 0), 'it knows all');
    assert.deepEqual(
      texts,
      Array.from({ length: noted + 1 }, (_, i) => String(i)),
      'the note is of the last',
    );
    await assert.rejects(mine.append([entry(0, 'b')]), (error) => isFleetlogError(error, 'FLEETLOG_LOCKED'));
    await taken.promise;
    await theirs.append([entry(0, 'c')], [{ key: 'held/x', value: Buffer.from('3') }]);
    await other.append([entry(1, 'd')]);
    for (const log of [first, second]) {
      await until(
        'both have both',
        () => log.ends().every(({ next }) => next > 0) && log.ends()[0].next > noted + 1,
      );
      assert.deepEqual([await textsIn(log, 0), await textsIn(log, 1)], [[...texts, 'c'], ['d']]);
    }
    await until('the first reads the note', async () => String(await first.note('held/x')) === '3');
    await second.append([], [{ key: 'group', value: Buffer.from('4') }]);
    assert.equal(String(Buffer.from((await second.note('group')) ?? [])), '4', 'one reads what one wrote');
    await assert.rejects(second.append([entry(0, 'e')]), (error) => isFleetlogError(error, 'FLEETLOG_USAGE'));
    await using three = await tempFolder('log');
    await assert.rejects(open(three.path, 'shared'), (error) => isFleetlogError(error, 'FLEETLOG_CONFIG'));
  });

  it('the number of partitions stays what it was at the beginning', async () => {
    await using other = await tempFolder('log');
    await (await open(other.path, 'fixed', 3))[Symbol.asyncDispose]();
    await assert.rejects(open(other.path, 'fixed', 5), (error) => isFleetlogError(error, 'FLEETLOG_CONFIG'));
  });

  it('what was aborted is never read, however many transactions of one producer an answer holds', async () => {
    await using other = await tempFolder('log');
    await using log = await open(other.path, 'aborted');
    const [first] = await log.append([entry(0, 'before')]);
    const producer = new Producer({
      clientId: 'aborting',
      bootstrapBrokers: kafka.brokers,
      retryDelay: 20,
      idempotent: true,
      transactionalId: 'aborting',
    });
    for (let round = 0; round < 4; round++) {
      for (const outcome of ['abort', 'commit'] as const) {
        const transaction = await producer.beginTransaction();
        const value = Buffer.from(`${outcome} ${round}`);
        await transaction.send({ messages: [{ topic: 'aborted', partition: 0, value }] });
        await transaction[outcome]();
      }
    }
    await producer.close();
    await log.append([entry(0, 'after')]);
    await log[Symbol.asyncDispose]();
    await using again = await open(other.path, 'aborted');
    const committed = ['before', ...[0, 1, 2, 3].map((round) => `commit ${round}`), 'after'];
    assert.deepEqual(await textsIn(again, 0), committed);
    // Offset by offset, so that markers come in other answers than what they are about.
    const offsets = Array.from({ length: again.ends()[0].next - first }, (_, i) => first + i);
    const single = await Promise.all(offsets.map((offset) => again.get(0, [offset])));
    assert.deepEqual(
      single.flat().flatMap((found) => (found ? [textOf(found)] : [])),
      committed,
    );
  });
});
