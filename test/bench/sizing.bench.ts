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

interface Setting {
  name: string;
  config: object;
  /** Where gateways connect, where that isn't the cloud. */
  port?: number;
  /** A process beside the cloud that carries the same. */
  beside?: { name: string; pid: number | undefined };
}

/** What the page on sizing goes by: one cloud, one partition of Kafka and one external broker, on this machine. */
export async function benchSizing(): Promise<BenchRow[]> {
  await using folder = await tempFolder('bench-sizing');
  const measure = (run: number, setting: Setting): Promise<BenchRow[]> => carried(folder.path, run, setting);
  const rows = await measure(1, { name: 'one cloud', config: {} });
  if (!whyNoKafka()) {
    await using kafka = await Kafka.start(join(folder.path, 'kafka'));
    const log = { kind: 'kafka', brokers: kafka.brokers, partitions: 1 };
    const beside = { name: 'Kafka', pid: kafka.pidOf(1) };
    rows.push(...(await measure(2, { name: 'one partition of Kafka', config: { log }, beside })));
  }
  if (!Mosquitto.whyNot()) {
    const users = Object.fromEntries(Array.from({ length: gateways }, (_, i) => [`load-${i}`, password]));
    const broker = await Mosquitto.start(join(folder.path, 'broker'), { users });
    const beside = { name: 'mosquitto', pid: broker.pid };
    const { port } = broker;
    rows.push(...(await measure(3, { name: 'one mosquitto', config: broker.cloudConfig(), port, beside })));
    await broker.kill();
  }
  return rows;
}

async function carried(folder: string, run: number, setting: Setting): Promise<BenchRow[]> {
  const { name, config, port, beside } = setting;
  const path = join(folder, `${run}.json`);
  await writeFile(path, JSON.stringify({ data: join(folder, String(run)), ...config }));
  const mqtt = port === undefined ? ['--mqtt', '127.0.0.1:0'] : [];
  await using cloud = CloudProcess.start(['--config', path, '--http', '127.0.0.1:0', ...mqtt]);
  await cloud.ready();
  const processes = [
    { name: 'the cloud', pid: cloud.pid },
    ...(beside?.pid ? [{ ...beside, pid: beside.pid }] : []),
  ];
  const beforeMs = processes.map(({ pid }) => cpuMsOf(pid));
  const report = await startLoad({ ...load, host: '127.0.0.1', port: port ?? cloud.mqttPort, password, run });
  const perSecond = report.batches / report.seconds;
  const bytes = Math.round(report.bytes / report.batches).toLocaleString('en');
  const on = `${gateways} connections, batches of ${load.framesPerBatch} frames and ${bytes} bytes`;
  return [
    { name, value: perSecond, unit: 'batches/s', on },
    ...processes.map((one, i) => {
      const ms = (cpuMsOf(one.pid) - beforeMs[i]) / (report.seconds + load.warmUpSeconds);
      return {
        name: `${name}: a batch takes ${one.name}`,
        value: (1000 * ms) / perSecond,
        unit: 'µs of a core',
        on: 'the same, all threads',
      };
    }),
  ];
}
