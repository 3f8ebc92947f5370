import assert from 'node:assert/strict';
import { basename } from 'node:path';
import { Producer } from '@platformatic/kafka';
import { isFleetlogError } from '@fleetlog/shared/errors';
import { silentLogger } from '@fleetlog/shared/log';
import { systemClock } from '@fleetlog/shared/util';
import { openKafkaLog } from '#cloud/log/kafka/open-kafka-log.js';
import type { Log } from '#cloud/log/log.js';
import { whyNoKafka } from '../support/kafka/jars.js';
import { Kafka } from '../support/kafka/kafka.js';
import { tempFolder } from '../support/temp-folder.js';
import { groupsContract } from './groups-contract.js';
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
