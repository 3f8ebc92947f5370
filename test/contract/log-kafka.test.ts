import assert from 'node:assert/strict';
import { basename } from 'node:path';
import { isFleetlogError } from '@fleetlog/shared/errors';
import { silentLogger } from '@fleetlog/shared/log';
import { systemClock } from '@fleetlog/shared/util';
import { openKafkaLog } from '#cloud/log/kafka/open-kafka-log.js';
import type { Log } from '#cloud/log/log.js';
import { whyNoKafka } from '../support/kafka/jars.js';
import { Kafka } from '../support/kafka/kafka.js';
import { tempFolder } from '../support/temp-folder.js';
import { entry, logContract, textsIn } from './log-contract.js';

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

  logContract({ name: 'kafka', open, isDense: false, modelRuns: 4 });

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
});
