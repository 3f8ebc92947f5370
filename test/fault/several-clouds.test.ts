import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkCloud } from '../support/chaos/check.js';
import { Cloud } from '../support/chaos/cloud.js';
import { Gateway } from '../support/chaos/gateway.js';
import { generatedRecordings } from '../support/chaos/recordings.js';
import { whyNoKafka } from '../support/kafka/jars.js';
import { Kafka } from '../support/kafka/kafka.js';
import { Mosquitto } from '../support/mosquitto.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

const gatewayCount = 4;
/** `npm run test:kafka`: one hangs, too, and Kafka has three nodes, each of which is killed. */
const isLong = process.env['FLEETLOG_KAFKA'] === 'long';
const nodes = isLong ? 3 : 1;
const idsOf = (kind: string): string[] => Array.from({ length: gatewayCount }, (_, i) => `${kind}-${i + 1}`);
const users = Object.fromEntries(
  [...idsOf('truck'), ...idsOf('van'), ...idsOf('bus')].map((id) => [id, `secret-${id}`]),
);

describe('several clouds on one log', function () {
  this.timeout(300_000);
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  let kafka: Kafka;
  let broker: Mosquitto;
  /** Those that can be asked. */
  const clouds: Cloud[] = [];
  let third: Cloud | undefined;

  before(async function () {
    const missing = whyNoKafka() ?? Mosquitto.whyNot();
    if (missing) {
      console.log(`      skipped: ${missing}`);
      this.skip();
    }
    folder = await tempFolder('several-clouds');
    kafka = await Kafka.start(join(folder.path, 'kafka'), nodes);
    broker = await Mosquitto.start(join(folder.path, 'broker'), { users });
  });
  after(async () => {
    for (const cloud of [...clouds, third]) await cloud?.command.kill();
    await broker?.kill();
    await kafka?.[Symbol.asyncDispose]();
    await folder?.[Symbol.asyncDispose]();
  });

  const newCloud = async (name: string, ingest: object = {}): Promise<Cloud> => {
    const config = join(folder.path, `${name}.json`);
    const log = { kind: 'kafka', brokers: kafka.brokers, shared: true, partitions: 6, replicas: nodes };
    await writeFile(config, JSON.stringify({ ...broker.cloudConfig({ session: '10s' }), log, ingest }));
    const cloud = new Cloud(join(folder.path, name), { args: ['--config', config], mqtt: null });
    await cloud.start();
    return cloud;
  };
  const records = async (cloud: Cloud): Promise<number> =>
    [...(await cloud.recordCounts()).values()].reduce((sum, count) => sum + count, 0);
  const more = async (cloud: Cloud, than: number): Promise<number> =>
    until(
      `more than ${than} records`,
      async () => {
        const now = await records(cloud);
        return now > than ? now : undefined;
      },
      60_000,
    );

  afterEach(function () {
    if (this.currentTest?.state !== 'failed') return;
    for (const cloud of [...clouds, third])
      console.log(`${cloud?.folder}\n${cloud?.command.log.slice(-5000)}`);
  });

  /** Gateways that send for some seconds. */
  const drive = async (kind: string, seconds: number): Promise<Gateway[]> => {
    const gateways = await Promise.all(
      idsOf(kind).map((id, i) =>
        Gateway.prepare(id, join(folder.path, id), generatedRecordings(100 + i, 2 * seconds), {
          url: `mqtt://127.0.0.1:${broker.port}`,
          uplink: { password: users[id], ackTimeout: '1s', reconnect: '1s' },
          pace: () => 2,
        }),
      ),
    );
    for (const { command } of gateways) command.start();
    return gateways;
  };
  const allThere = async (gateways: readonly Gateway[]): Promise<void> => {
    for (const gateway of gateways) await gateway.drained(120_000);
    const expectations = gateways.flatMap(({ expectations: all }) => all);
    for (const cloud of clouds) {
      assert.deepEqual((await checkCloud(cloud, expectations)).complaints, [], cloud.folder);
      const { status, stdout, stderr } = await cloud.fleetlog('verify');
      assert.equal(status, 0, stdout.toString() + stderr);
    }
  };

  it('killed, stopped and started again while gateways send: each batch is there once, in all of them', async () => {
    const [first, second] = [await newCloud('one'), await newCloud('two')];
    clouds.push(first, second);
    third = await newCloud('three', { only: true });
    const gateways = await drive('truck', 12);
    let there = await more(first, 1000);
    await third.command.kill(); // its partitions go to the others when it hasn't been heard of for a while
    there = await more(first, there);
    await second.command.stop(); // a rolling restart
    there = await more(first, there);
    await second.start();
    await first.command.stop();
    await first.start();
    await third.start();
    await allThere(gateways);
  });

  it('one that hangs and wakes again writes nothing twice', async function () {
    if (!isLong) return this.skip(); // the others wait for the end of its session
    const [first, second] = clouds;
    const before = await records(first);
    const gateways = await drive('van', 14);
    const there = await more(first, before + 1000);
    process.kill(second.command.pid ?? 0, 'SIGSTOP');
    try {
      await first.command.says(/Partitions of the log are shared anew[^]*shared anew/);
      await more(first, there + 500);
    } finally {
      process.kill(second.command.pid ?? 0, 'SIGCONT');
    }
    await allThere(gateways);
  });

  it('each node of Kafka is killed while they take batches: leaders change, and each batch is there once', async function () {
    if (!isLong) this.skip();
    const [first] = clouds;
    const gateways = await drive('bus', 60);
    let there = await more(first, await records(first));
    for (let id = 1; id <= nodes; id++) {
      await kafka.killNode(id);
      there = await more(first, there + 1000);
      await kafka.startNode(id);
      there = await more(first, there + 1000);
    }
    await allThere(gateways);
  });

  it('takes recordings at any of them', async () => {
    const path = join(folder.path, 'old.candump');
    const [{ bytes }] = generatedRecordings(7, 3);
    await writeFile(path, bytes);
    for (const [i, cloud] of clouds.entries()) {
      const gateway = `imported-${i + 1}`;
      const { status, stderr } = await cloud.fleetlog(
        'import',
        path,
        '--gateway',
        gateway,
        '--stream',
        'can0',
      );
      assert.equal(status, 0, stderr);
      for (const other of clouds) {
        const exported = await until('it is there', async () => {
          const expectation = { gateway, stream: 'can0', format: 'candump', input: bytes } as const;
          const held = await other.exportStream(expectation).catch(() => undefined);
          return held?.length === bytes.length ? held : undefined;
        });
        assert.ok(exported.equals(bytes));
      }
    }
  });
});
