import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Aedes } from 'aedes';
import { append, canBatch, lineBatch } from '../support/recorded.js';
import { ended, start, type Ended } from '../support/run-command.js';
import { serveCloud, type ServingCloud } from '../support/serving-cloud.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

const bin = 'cloud/dist/cli/fleetlog-bin.js';
const gateway = 'truck-17';
const second = 1_500_000_000_000_000;

const run = ({ api }: ServingCloud, ...parameters: string[]): Promise<Ended> =>
  ended(start(bin, ['replay', '--gateway', gateway, ...parameters], { FLEETLOG_URL: api.url }));

async function fill({ log }: ServingCloud): Promise<void> {
  await append(log, [
    canBatch(
      Array.from({ length: 500 }, (_, i) => second + i * 2000),
      { gateway },
    ),
    lineBatch([{ timeUs: second + 500_001, text: '$GPRMC,1\n' }], { gateway }),
  ]);
}

describe('fleetlog replay', () => {
  it('to candump:- what an export gives, in its time, and says how exact it was', async () => {
    await using cloud = await serveCloud();
    await fill(cloud);
    const startedMs = performance.now();
    const { stdout, stderr, status } = await run(cloud, '--to', 'candump:-');
    assert.equal(status, 0, stderr);
    assert.ok(performance.now() - startedMs >= 998, 'a second of records takes a second');
    const exported = await fetch(`${cloud.api.url}/v1/export?gateway=${gateway}&stream=can0&format=candump`);
    assert.equal(stdout.toString(), await exported.text());
    assert.match(stderr, /^fleetlog: 500 records in [\d.]+ s; from their time: half within [\d.]+ ms/);
  });

  it('to a time and a target, both as --to; at full speed', async () => {
    await using cloud = await serveCloud();
    await fill(cloud);
    const { stdout, stderr } = await run(
      cloud,
      '--to',
      '1500000000.01',
      '--to',
      'candump:-',
      '--speed',
      'max',
    );
    assert.equal(stdout.toString().split('\n').length - 1, 5);
    assert.match(stderr, /^fleetlog: 5 records in [\d.]+ s\n$/);
  });

  it('as datagrams and as MQTT messages, each a record', async () => {
    await using cloud = await serveCloud();
    await fill(cloud);
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const datagrams: string[] = [];
    socket.on('message', (bytes) => datagrams.push(bytes.toString()));
    const port = socket.address().port;
    const few = ['--from', '1500000000.49', '--to', '1500000000.51', '--speed', 'max'];
    assert.equal(
      (await run(cloud, ...few, '--to', `udp://127.0.0.1:${port}`)).stderr.includes('11 records'),
      true,
    );
    await until('all came', () => datagrams.length === 11);
    socket.close();
    const aedes = await Aedes.createBroker();
    const server = createServer((connection) => void aedes.handle(connection)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const topics: string[] = [];
    aedes.on('publish', ({ topic, payload }, client) => {
      if (client) topics.push(`${topic} ${String(payload).slice(0, 40)}`);
    });
    const url = `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}/again`;
    const { status, stderr } = await run(cloud, ...few, '--to', url);
    assert.equal(status, 0, stderr);
    assert.equal(topics.filter((topic) => topic.startsWith('again/truck-17/can0 {"gateway"')).length, 10);
    assert.equal(topics.filter((topic) => topic.startsWith('again/truck-17/gps0 ')).length, 1);
    aedes.close();
    server.close();
  });

  it('to a CAN interface by canplayer, with its name in the place of the recorded one', async () => {
    await using cloud = await serveCloud();
    await fill(cloud);
    await using folder = await tempFolder('canplayer');
    writeFileSync(
      join(folder.path, 'canplayer'),
      `#!/bin/sh\necho "$@" > ${folder.path}/args\ncat > ${folder.path}/out\n`,
    );
    chmodSync(join(folder.path, 'canplayer'), 0o755);
    const env = { FLEETLOG_URL: cloud.api.url, PATH: `${folder.path}:${process.env['PATH']}` };
    const parameters = ['replay', '--gateway', gateway, '--to', 'vcan3', '--speed', 'max'];
    assert.equal((await ended(start(bin, parameters, env))).status, 0);
    assert.equal(readFileSync(join(folder.path, 'args'), 'utf8'), '-t\n');
    const lines = readFileSync(join(folder.path, 'out'), 'utf8').trimEnd().split('\n');
    assert.equal(lines.length, 500);
    assert.equal(lines[0], '(1500000000.000000) vcan3 100#0000000000000000');
  });

  it('is paused, sought in and resumed by HTTP', async () => {
    await using cloud = await serveCloud();
    await fill(cloud);
    const parameters = ['--to', 'candump:-', '--speed', '0.01', '--control', '127.0.0.1:0'];
    const child = start(bin, ['replay', '--gateway', gateway, ...parameters], {
      FLEETLOG_URL: cloud.api.url,
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const end = ended(child);
    const url = await until('it says where', () => /control at (\S+)\n/.exec(said)?.[1], 30_000);
    type State = { state: string; position: string; records: number };
    const ask = async (path: string, method = 'POST'): Promise<State> => {
      const response = await fetch(`${url}${path}`, { method });
      assert.equal(response.status, 200, await response.clone().text());
      return (await response.json()) as State;
    };
    await until('it plays', async () => (await ask('/', 'GET')).records > 1, 30_000);
    const paused = await ask('/pause');
    assert.equal(paused.state, 'paused');
    const sought = await ask('/seek?to=1500000000.9');
    assert.equal(sought.position, '2017-07-14T02:40:00.900000Z');
    assert.ok(sought.records <= paused.records + 1);
    assert.equal((await ask('/seek?by=-0.1')).position, '2017-07-14T02:40:00.800000Z');
    assert.equal((await ask('/resume')).state, 'playing');
    await until('it plays on', async () => (await ask('/', 'GET')).records > sought.records + 1, 30_000);
    assert.match((await ask('/', 'GET')).position, /02:40:00\.8/);
    for (const [path, method, status] of [
      ['/seek', 'POST', 400],
      ['/seek?to=soon', 'POST', 400],
      ['/pause', 'GET', 405],
      ['/stop', 'POST', 404],
    ] as const) {
      assert.equal((await fetch(`${url}${path}`, { method })).status, status);
    }
    await ask('/seek?by=100');
    assert.equal((await end).status, 0, 'what is behind the end is the end');
  });

  it('says what is wrong in a sentence, with status 2 or 1', async () => {
    await using cloud = await serveCloud();
    await fill(cloud);
    for (const [parameters, status, message] of [
      [['--to', '-1h'], 2, /Say where to, once/],
      [['--to', 'candump:-', '--to', 'vcan0'], 2, /Say where to, once/],
      [['--to', 'candump:-', '--speed', 'fast'], 2, /a factor such as 1 or 10, or max/],
      [['--to', 'candump:-', '--control', 'here'], 2, /write HOST:PORT/],
      [['--to', 'udp://127.0.0.1'], 2, /Say which port/],
      [['--to', 'mqtt://127.0.0.1:9/x'], 1, /No broker answers at 127.0.0.1:9/],
      [['--to', 'candump:-', '--stream', 'can9'], 2, /can9/],
    ] as const) {
      const result = await run(cloud, ...parameters);
      assert.equal(result.status, status, result.stderr);
      assert.match(result.stderr, message);
    }
  });
});
