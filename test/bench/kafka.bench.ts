import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CloudProcess } from '../support/cloud-process.js';
import { whyNoKafka } from '../support/kafka/jars.js';
import { Kafka } from '../support/kafka/kafka.js';
import { startLoad, type LoadReport } from '../support/load-generator.js';
import { tempFolder } from '../support/temp-folder.js';
import type { BenchRow } from './row.js';

const seconds = process.env['FLEETLOG_BENCH'] === 'long' ? 60 : 10;
const runs = 3;

/** The same load on a cloud with its log in RocksDB and on one with it in Kafka, in turns; the broker is here as well. */
export async function benchKafka(): Promise<BenchRow[]> {
  const missing = whyNoKafka();
  if (missing) return [{ name: `Kafka: ${missing}`, value: NaN, unit: '', on: '' }];
  await using folder = await tempFolder('bench-kafka');
  await using kafka = await Kafka.start(join(folder.path, 'kafka'));
  const log = { kind: 'kafka', brokers: kafka.brokers };
  const config = join(folder.path, 'kafka.json');
  await writeFile(config, JSON.stringify({ data: join(folder.path, 'with-kafka'), log }));
  const reports: { rocksdb: LoadReport; kafka: LoadReport }[] = [];
  for (let run = 1; run <= runs; run++) {
    const rocksdb = await loaded(['--data', join(folder.path, 'with-rocksdb')], run);
    reports.push({ rocksdb, kafka: await loaded(['--config', config], run) });
  }
  const median = (of: (report: (typeof reports)[number]) => number): number =>
    reports.map(of).sort((a, b) => a - b)[runs >> 1];
  const on = `${seconds} s, 20 connections with 64 batches unacknowledged each, 2,000 frames a batch; median of ${runs}, in turns`;
  return [
    {
      name: 'log in RocksDB, acknowledged',
      value: median((r) => r.rocksdb.frames / r.rocksdb.seconds),
      unit: 'frames/s',
      on,
    },
    {
      name: 'log in Kafka, acknowledged',
      value: median((r) => r.kafka.frames / r.kafka.seconds),
      unit: 'frames/s',
      on: `the same, a broker on the same machine, one copy`,
    },
    {
      name: 'Kafka against RocksDB',
      value: median((r) => r.kafka.frames / r.rocksdb.frames),
      unit: 'times',
      on: 'the same',
    },
    {
      name: 'sent to acknowledged with Kafka, median',
      value: median((r) => r.kafka.latencyMs.p50),
      unit: 'ms',
      on: 'the same, windows full',
    },
  ];
}

async function loaded(cloudArguments: readonly string[], run: number): Promise<LoadReport> {
  const addresses = ['--mqtt', '127.0.0.1:0', '--http', '127.0.0.1:0'];
  await using cloud = CloudProcess.start([...cloudArguments, ...addresses]);
  await cloud.ready();
  const load = { gateways: 20, window: 64, framesPerBatch: 2000, warmUpSeconds: 3, seconds, run };
  try {
    return await startLoad({ host: '127.0.0.1', port: cloud.mqttPort, ...load });
  } catch (cause) {
    throw new Error(`The cloud said: ${cloud.stderr}`, { cause });
  }
}
