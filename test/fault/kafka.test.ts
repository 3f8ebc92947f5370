import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { silentLogger } from '@fleetlog/shared/log';
import { systemClock } from '@fleetlog/shared/util';
import { openKafkaLog } from '#cloud/log/kafka/open-kafka-log.js';
import { candumpText } from '#sim/vehicle/can-bus.js';
import { CloudProcess } from '../support/cloud-process.js';
import { freePorts } from '../support/free-ports.js';
import { whyNoKafka } from '../support/kafka/jars.js';
import { Kafka } from '../support/kafka/kafka.js';
import { ended, start, type Ended } from '../support/run-command.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';
import { textsIn } from '../contract/log-contract.js';

const nodes = 3;
/** FLEETLOG_KAFKA=long: every node is killed in turn, and one hangs. */
const isLong = process.env['FLEETLOG_KAFKA'] === 'long';

/** A process that writes to the log until it is killed. */
class Writer implements AsyncDisposable {
  /** What it was told is durable, at least. */
  durable = 0;
  private complaints = '';

  constructor(private readonly child: ChildProcess) {
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      this.durable = Number(line);
    });
    child.stderr?.on('data', (chunk: Buffer) => (this.complaints += chunk.toString()));
  }

  static start(folder: string, topic: string, brokers: readonly string[]): Writer {
    const args = [join(folder, 'writer'), topic, String(nodes), brokers.join()];
    return new Writer(
      fork(new URL('../support/kafka/writer-child.js', import.meta.url), args, { silent: true }),
    );
  }

  /** Until it was told of `more` further entries. */
  async progress(more: number): Promise<void> {
    const from = this.durable;
    await until(
      `the log takes more than ${from} entries`,
      () => {
        if (this.child.exitCode !== null) throw new Error(`the writer ended: ${this.complaints}`);
        return this.durable >= from + more;
      },
      120_000,
    );
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill('SIGKILL');
    await once(this.child, 'exit');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

describe('a log on three nodes of Kafka', function () {
  this.timeout(400_000);
  let folder: Awaited<ReturnType<typeof tempFolder>> | undefined;
  let kafka: Kafka;

  before(async function () {
    const missing = whyNoKafka();
    if (missing) {
      console.log(`      skipped: ${missing}`);
      this.skip();
    }
    folder = await tempFolder('kafka');
    kafka = await Kafka.start(folder.path, nodes);
  });
  after(async () => {
    await kafka?.[Symbol.asyncDispose]();
    await folder?.[Symbol.asyncDispose]();
  });

  /** Each entry once, in order, none of half an append, the note of the last one; returns how many there are. */
  async function check(topic: string, durable: number): Promise<number> {
    await using reader = await tempFolder('kafka-reader');
    await using log = await openKafkaLog({
      path: reader.path,
      topic,
      brokers: kafka.brokers,
      clientId: 'fleetlog-check',
      partitions: 2,
      replicas: nodes,
      logger: silentLogger,
      clock: systemClock,
    });
    const counts: number[] = [];
    for (const partition of [0, 1]) {
      const texts = await textsIn(log, partition);
      for (const [i, text] of texts.entries()) assert.equal(text.trimEnd(), `${partition}:${i}`);
      counts.push(texts.length);
    }
    assert.ok(counts[0] >= durable, `${counts[0]} entries, and ${durable} were called durable`);
    const noted = Number(Buffer.from((await log.note('count')) ?? []).toString());
    assert.deepEqual(counts, [noted, noted], 'the note is of the last append');
    return noted;
  }

  it('a writer that is killed again and again leaves every entry once, and no half append', async () => {
    const topic = 'killed-writer';
    for (let round = 0; round < 3; round++) {
      await using writer = Writer.start(folder?.path ?? '', topic, kafka.brokers);
      await writer.progress(30 + 60 * round);
      await writer.kill();
      await check(topic, writer.durable);
    }
  });

  it(`writing goes on when ${isLong ? 'any node' : 'a node'} is killed, and when it comes back`, async () => {
    const topic = 'killed-node';
    await using writer = Writer.start(folder?.path ?? '', topic, kafka.brokers);
    await writer.progress(30);
    for (let id = 1; id <= (isLong ? nodes : 1); id++) {
      await kafka.killNode(id);
      await writer.progress(60);
      await kafka.startNode(id);
      await writer.progress(60);
    }
    await writer.kill();
    await check(topic, writer.durable);
  });

  it('a node that hangs without closing anything holds writing up for a while, and changes nothing', async function () {
    if (!isLong) return this.skip(); // a minute of time-outs
    const topic = 'hanging-node';
    await using writer = Writer.start(folder?.path ?? '', topic, kafka.brokers);
    await writer.progress(30);
    kafka.pauseNode(2);
    try {
      await writer.progress(60);
    } finally {
      kafka.resumeNode(2);
    }
    await writer.progress(60);
    await writer.kill();
    await check(topic, writer.durable);
  });

  it('all nodes killed at once lose nothing that was called durable', async () => {
    const topic = 'killed-cluster';
    await using writer = Writer.start(folder?.path ?? '', topic, kafka.brokers);
    await writer.progress(60);
    const ids = Array.from({ length: nodes }, (_, i) => i + 1);
    await Promise.all(ids.map((id) => kafka.killNode(id)));
    await Promise.all(ids.map((id) => kafka.startNode(id)));
    await writer.progress(60);
    await writer.kill();
    await check(topic, writer.durable);
  });

  it('a cloud that is killed and followed by one on another machine has everything once', async () => {
    const path = folder?.path ?? '';
    const drive = join(path, 'drive.candump');
    await writeFile(drive, Buffer.concat([...candumpText({ seed: 5, startUs: 1.7e15, durationUs: 60e6 })]));
    const [mqttPort] = await freePorts(1);
    const log = { kind: 'kafka', brokers: kafka.brokers, topic: 'whole-cloud', replicas: nodes };
    const serve = async (machine: string): Promise<CloudProcess> => {
      const config = join(path, `${machine}.json`);
      const mqtt = { listen: `127.0.0.1:${mqttPort}` };
      await writeFile(config, JSON.stringify({ data: join(path, machine), mqtt, log }));
      const cloud = CloudProcess.start(['--config', config, '--http', '127.0.0.1:0']);
      await cloud.ready();
      return cloud;
    };
    const first = await serve('machine-1');
    const gateway = join(path, 'gateway.json');
    const can0 = { source: 'file', path: drive, format: 'candump', pace: 8, times: 'original' };
    const uplink = { url: `mqtt://127.0.0.1:${mqttPort}`, ackTimeout: '1s' };
    await writeFile(
      gateway,
      JSON.stringify({ gateway: 'truck', data: join(path, 'truck'), uplink, streams: { can0 } }),
    );
    const driving = ended(start('gateway/dist/cli/bin.js', ['--config', gateway, '--until-drained']));
    const recordsAt = async (url: string): Promise<number> => {
      const { streams } = (await (await fetch(`${url}/v1/streams`)).json()) as {
        streams: { records: number }[];
      };
      return streams.reduce((sum, { records }) => sum + records, 0);
    };
    await until('some of it is logged', async () => (await recordsAt(first.httpUrl)) > 1000, 60_000);
    await first.kill('SIGKILL');
    await using second = await serve('machine-2');
    const { status, stderr } = await driving;
    assert.equal(status, 0, stderr);
    const ask = (...command: string[]): Promise<Ended> =>
      ended(start('cloud/dist/cli/fleetlog-bin.js', [...command, '--url', second.httpUrl]));
    const exported = await ask('export', '--gateway', 'truck', '--stream', 'can0', '--format', 'candump');
    assert.ok(exported.stdout.equals(await readFile(drive)), 'as it went in');
    for (const command of ['gaps', 'verify']) {
      const answer = await ask(command);
      assert.equal(answer.status, 0, `${command}: ${answer.stdout.toString()}${answer.stderr}`);
    }
  });
});
