import assert from 'node:assert/strict';
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { topics } from '@fleetlog/shared/topics';
import { CloudProcess } from '../support/cloud-process.js';
import { MqttSocket } from '../support/mqtt-socket.js';
import { lineBatch } from '../support/recorded.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

const gateway = 'truck-17';
const batch = (sequence: number): Uint8Array =>
  lineBatch([{ timeUs: 1_700_000_000_000_000 + 1e6 * sequence, text: `line ${sequence}\n` }], {
    gateway,
    sequence,
    stream: 'gps',
  });

async function connectTo(cloud: CloudProcess): Promise<MqttSocket> {
  const client = await MqttSocket.open(cloud.mqttPort);
  assert.equal(await client.login(gateway), 0);
  await client.subscribe(topics.ack(gateway));
  return client;
}

const heldBy = (client: MqttSocket): number[] => client.acks(gateway).at(-1)?.streams.gps.held ?? [];

async function send(client: MqttSocket, first: number, last: number): Promise<void> {
  for (let sequence = first; sequence <= last; sequence++) {
    client.publish(topics.up(gateway, 'gps'), batch(sequence));
  }
  await until(`${last} is held`, () => heldBy(client)[1] >= last);
}

const linesUpTo = (last: number): string =>
  Array.from({ length: last + 1 }, (_, sequence) => `line ${sequence}\n`).join('');

async function exported(cloud: CloudProcess): Promise<string> {
  const answer = await fetch(`${cloud.httpUrl}/v1/export?gateway=${gateway}&stream=gps&format=lines`);
  assert.equal(answer.status, 200);
  return answer.text();
}

describe('fleetlog-cloud', function () {
  this.timeout(60_000);
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  let data: string;
  beforeEach(async () => {
    folder = await tempFolder('cloud');
    data = join(folder.path, 'data');
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  it('prints one line when it serves, and ends with 0 at SIGTERM and SIGINT', async () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      await using cloud = await CloudProcess.serve(data);
      assert.match(cloud.stdout, /^ready mqtt=127\.0\.0\.1:\d+ http=127\.0\.0\.1:\d+\n$/);
      const answer = await fetch(`${cloud.httpUrl}/v1/status`);
      assert.equal(answer.status, 200);
      await answer.text();
      const startedMs = performance.now();
      assert.equal(await cloud.kill(signal), 0);
      assert.ok(performance.now() - startedMs < 5000);
      assert.match(cloud.stdout, /^ready[^\n]*\n$/);
      assert.equal(cloud.stderr, '');
    }
    const folders = ['catalogue', 'columns', 'index', 'log', 'log.mark', 'rollups'];
    assert.deepEqual((await readdir(data)).sort(), folders);
  });

  it('serves on IPv6 and says so in brackets', async () => {
    await using cloud = CloudProcess.start(['--data', data, '--mqtt', '[::1]:0', '--http', '[::1]:0']);
    await cloud.ready();
    assert.match(cloud.stdout, /^ready mqtt=\[::1\]:\d+ http=\[::1\]:\d+\n$/);
    await using client = await MqttSocket.open(cloud.mqttPort, '::1');
    assert.equal(await client.login(gateway), 0);
  });

  it('keeps what it acknowledged when it is killed, and takes none of it twice', async () => {
    for (let life = 0; life < 3; life++) {
      await using cloud = await CloudProcess.serve(data);
      await using client = await connectTo(cloud);
      await send(client, 0, 20 * (life + 1));
      assert.equal(heldBy(client)[0], 0);
      const status = (await (await fetch(`${cloud.httpUrl}/v1/status`)).json()) as {
        ingest: { batches: number; duplicates: number };
      };
      assert.equal(status.ingest.batches, life === 0 ? 21 : 20);
      assert.equal(status.ingest.duplicates, life === 0 ? 0 : 20 * life + 1);
      assert.equal(await exported(cloud), linesUpTo(20 * (life + 1)));
      assert.equal(await cloud.kill('SIGKILL'), 'SIGKILL');
    }
  });

  it('stopping acknowledges what it has read', async () => {
    await using cloud = await CloudProcess.serve(data);
    await using client = await connectTo(cloud);
    const ids = Array.from({ length: 300 }, (_, sequence) =>
      client.publish(topics.up(gateway, 'gps'), batch(sequence)),
    );
    await until('some are read', () => client.isConfirmed(ids[10]));
    const read = ids.findLastIndex((id) => client.isConfirmed(id));
    assert.equal(await cloud.kill('SIGTERM'), 0);
    await until('it is ended', () => client.isClosed);
    assert.ok(heldBy(client)[1] >= read, `${heldBy(client).join()} of ${read}`);
  });

  it('a second one on the same folder says so before it opens a port, and disturbs nothing', async () => {
    await using cloud = await CloudProcess.serve(data);
    await using client = await connectTo(cloud);
    await send(client, 0, 5);
    // With the first one's port too: the sentence is about the folder all the same.
    const flags = ['--data', data, '--mqtt', `127.0.0.1:${cloud.mqttPort}`, '--rebuild-index'];
    await using second = CloudProcess.start(flags);
    assert.equal(await second.end(), 1);
    assert.match(second.stderr, /^fleetlog-cloud: The data folder .* is in use by another process[^\n]*\n$/);
    assert.equal(second.stdout, '');
    await send(client, 6, 10);
    assert.equal(await exported(cloud), linesUpTo(10));
  });

  it('a taken port is one sentence with the flag, for MQTT and HTTP', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await until('it listens', () => blocker.listening);
    const taken = `127.0.0.1:${(blocker.address() as AddressInfo).port}`;
    for (const [flags, flag] of [
      [['--mqtt', taken, '--http', '127.0.0.1:0'], '--mqtt'],
      [['--mqtt', '127.0.0.1:0', '--http', taken], '--http'],
    ] as const) {
      await using cloud = CloudProcess.start(['--data', data, ...flags]);
      assert.equal(await cloud.end(), 1);
      assert.equal(cloud.stdout, '');
      assert.match(
        cloud.stderr,
        new RegExp(`^fleetlog-cloud: Port ${taken.split(':')[1]} .*${flag}[^\n]*\n$`),
      );
    }
    blocker.close();
  });

  it('builds the index anew from the log', async () => {
    const oldest = async (): Promise<number> => (await stat(join(data, 'index', 'IDENTITY'))).birthtimeMs;
    let before: number;
    {
      await using cloud = await CloudProcess.serve(data);
      await using client = await connectTo(cloud);
      await send(client, 0, 50);
      assert.equal(await cloud.kill('SIGTERM'), 0);
      before = await oldest();
    }
    await using cloud = await CloudProcess.serve(data, '--rebuild-index');
    assert.match(cloud.stderr, /building the index, [\d,]+ batches left/);
    assert.ok((await oldest()) > before);
    const streams = JSON.stringify(await (await fetch(`${cloud.httpUrl}/v1/streams`)).json());
    assert.match(streams, /"batches":51/);
  });

  describe('refuses with one sentence and status 2', () => {
    const cases: { title: string; args?: string[]; yaml?: string; says: RegExp }[] = [
      { title: 'no data folder', says: /--data DIR/ },
      { title: 'an unknown flag', args: ['--dta', 'x'], says: /unknown option '--dta'/ },
      { title: 'an unknown argument', args: ['--data', 'x', 'y'], says: /too many arguments/ },
      {
        title: 'a file with an unknown key',
        yaml: 'data: x\nmqtt: { port: 1 }',
        says: /unknown key "mqtt.port"/,
      },
      {
        title: 'an address that is not of this machine',
        args: ['--data', 'x', '--http', '192.0.2.1:80', '--mqtt', '127.0.0.1:0'],
        says: /--http/,
      },
    ];
    for (const { title, args = [], yaml, says } of cases) {
      it(title, async () => {
        const more: string[] = [];
        if (yaml !== undefined) {
          await writeFile(join(folder.path, 'cloud.yaml'), yaml);
          more.push('--config', 'cloud.yaml');
        }
        await using cloud = CloudProcess.start([...args, ...more], {}, folder.path);
        assert.equal(await cloud.end(), 2, cloud.stderr);
        assert.match(cloud.stderr, says);
        assert.doesNotMatch(cloud.stderr, /\n\s+at /, 'no stack');
        assert.equal(cloud.stdout, '');
      });
    }
  });

  it('a flag wins over a variable, that over the file; paths in a file count from it', async () => {
    await mkdir(join(folder.path, 'etc'));
    await writeFile(
      join(folder.path, 'etc', 'cloud.yaml'),
      'data: ../from-file\nmqtt: { listen: "127.0.0.1:1" }\nhttp: { listen: "127.0.0.1:0" }\nlog: { partitions: 3 }\n',
    );
    const environment = { FLEETLOG_MQTT: '[::1]:0', FLEETLOG_HTTP: 'nonsense', FLEETLOG_LOG_LEVEL: 'debug' };
    const args = ['--config', 'etc/cloud.yaml', '--http', '127.0.0.1:0'];
    await using cloud = CloudProcess.start(args, environment, folder.path);
    await cloud.ready();
    assert.match(cloud.stdout, /mqtt=\[::1\]:\d+ http=127\.0\.0\.1:\d+/);
    assert.ok((await readdir(folder.path)).includes('from-file'));
    assert.equal(await cloud.kill('SIGTERM'), 0);
    await using again = CloudProcess.start(
      ['--data', 'from-file', '--mqtt', '127.0.0.1:0', '--http', '127.0.0.1:0'],
      {},
      folder.path,
    );
    await again.ready();
    const { log } = (await (await fetch(`${again.httpUrl}/v1/status`)).json()) as {
      log: { partitions: unknown[] };
    };
    assert.equal(log.partitions.length, 3);
  });

  it('configured users need their password', async () => {
    await writeFile(join(folder.path, 'cloud.yaml'), 'mqtt: { users: { truck-17: { password: sesame } } }\n');
    const args = ['--config', 'cloud.yaml', '--data', 'd', '--mqtt', '0.0.0.0:0', '--http', '127.0.0.1:0'];
    await using cloud = CloudProcess.start(args, {}, folder.path);
    await cloud.ready();
    for (const [password, code] of [
      ['sesame', 0],
      ['wrong', 4],
    ] as const) {
      await using client = await MqttSocket.open(cloud.mqttPort);
      assert.equal(await client.login('truck-17', { password: Buffer.from(password) }), code);
    }
  });

  it('says what it is', async () => {
    for (const [flag, says] of [
      ['--help', /Usage: fleetlog-cloud[^]*Examples:\n[^]*fleetlog-cloud --data/],
      ['--version', /^\d+\.\d+\.\d+\n$/],
    ] as const) {
      await using cloud = CloudProcess.start([flag]);
      assert.equal(await cloud.end(), 0);
      assert.match(cloud.stdout, says);
    }
  });
});
