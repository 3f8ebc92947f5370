import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CloudProcess } from '../support/cloud-process.js';
import { whyNoKafka } from '../support/kafka/jars.js';
import { Kafka } from '../support/kafka/kafka.js';
import { startLoad } from '../support/load-generator.js';
import { Mosquitto } from '../support/mosquitto.js';
import { cpuMsOf } from '../support/process-cpu.js';
import { tempFolder } from '../support/temp-folder.js';
import type { BenchRow } from './row.js';

const gateways = 100;
const password = 'load-secret';
const load = { gateways, window: 4, framesPerBatch: 500, warmUpSeconds: 3, seconds: 10 };

/** What the page on sizing goes by: one cloud, one partition of Kafka and one external broker, on this machine. */
export async function benchSizing(): Promise<BenchRow[]> {
  await using folder = await tempFolder('bench-sizing');
  const rows = [...(await carried('one cloud, its own broker and log', folder.path, {}, 1))];
  const noKafka = whyNoKafka();
  if (!noKafka) {
    await using kafka = await Kafka.start(join(folder.path, 'kafka'));
    const log = { kind: 'kafka', brokers: kafka.brokers, partitions: 1 };
    rows.push(...(await carried('one partition of Kafka', folder.path, { log }, 2)));
  }
  if (!Mosquitto.whyNot()) {
    const users = Object.fromEntries(Array.from({ length: gateways }, (_, i) => [`load-${i}`, password]));
    const broker = await Mosquitto.start(join(folder.path, 'broker'), { users });
    rows.push(
      ...(await carried('one mosquitto beside it', folder.path, broker.cloudConfig(), 3, broker.port)),
    );
    await broker.kill();
  }
  return rows;
}

async function carried(
  name: string,
  folder: string,
  config: object,
  run: number,
  port?: number,
): Promise<BenchRow[]> {
  const path = join(folder, `${run}.json`);
  await writeFile(path, JSON.stringify({ data: join(folder, String(run)), ...config }));
  const mqtt = port === undefined ? ['--mqtt', '127.0.0.1:0'] : [];
  await using cloud = CloudProcess.start(['--config', path, '--http', '127.0.0.1:0', ...mqtt]);
  await cloud.ready();
  const beforeMs = cpuMsOf(cloud.pid);
  const report = await startLoad({ ...load, host: '127.0.0.1', port: port ?? cloud.mqttPort, password, run });
  const cores = (cpuMsOf(cloud.pid) - beforeMs) / 1000 / (report.seconds + load.warmUpSeconds);
  const bytes = Math.round(report.bytes / report.batches).toLocaleString('en');
  const on = `${gateways} connections, batches of ${load.framesPerBatch} frames and ${bytes} bytes; cloud ${cores.toFixed(2)} cores`;
  const perSecond = report.batches / report.seconds;
  return [
    { name, value: perSecond, unit: 'batches/s', on },
    { name: `${name}, a batch`, value: (1e6 * cores) / perSecond, unit: 'µs of a core', on: 'the same' },
  ];
}
