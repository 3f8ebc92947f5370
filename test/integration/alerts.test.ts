import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Aedes } from 'aedes';
import { messageText } from '../support/dbc.js';
import { append, candumpBatches } from '../support/recorded.js';
import { ended, start } from '../support/run-command.js';
import { serveCloud } from '../support/serving-cloud.js';
import { tempFolder } from '../support/temp-folder.js';

const gateway = 'truck-17';
const engine = messageText(['Temp : 0|8@1+ (1,0) [0|0] "C" Node'], 'BO_ 256 Engine: 8 Node');
const temperatures = [90, 111, 109, 104, 90, 112];

describe('fleetlog alerts', () => {
  it('tells a webhook, a broker and its reader, once each, and tries again where nobody takes it', async () => {
    await using cloud = await serveCloud();
    const text = temperatures.map(
      (value, i) => `(100000000${i}.000000) can0 100#${value.toString(16).padStart(2, '0')}\n`,
    );
    await append(cloud.log, candumpBatches(Buffer.from(text.join('')), { gateway }, 2));
    await cloud.catalogue.add({
      name: 'engine',
      file: '',
      bytes: Buffer.from(engine),
      ignoreErrors: false,
      nowUs: 0,
    });
    const assignment = {
      gateway,
      stream: 'can0',
      database: 'engine',
      version: undefined,
      fromUs: undefined,
      toUs: undefined,
    };
    await cloud.catalogue.assign(assignment, { replace: false });

    const posted: string[] = [];
    let refusals = 1;
    const hook = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        const isTaken = refusals-- <= 0;
        if (isTaken) posted.push(body);
        response.writeHead(isTaken ? 204 : 503).end();
      });
    }).listen(0, '127.0.0.1');
    await once(hook, 'listening');
    const aedes = await Aedes.createBroker();
    const broker = createTcpServer((connection) => void aedes.handle(connection)).listen(0, '127.0.0.1');
    await once(broker, 'listening');
    const published: string[] = [];
    aedes.on('publish', ({ topic, payload }, client) => {
      if (client) published.push(`${topic} ${String(payload)}`);
    });

    await using folder = await tempFolder('alerts');
    const rules = join(folder.path, 'rules.yaml');
    writeFileSync(
      rules,
      `rules:
  - { name: hot, signal: Engine/Temp, above: 110, clear: 105 }
  - { name: other, signal: Engine/Temp, above: 110, gateways: [van-8] }
notify:
  webhooks: ['http://127.0.0.1:${(hook.address() as AddressInfo).port}/hook']
  mqtt: mqtt://127.0.0.1:${(broker.address() as AddressInfo).port}/alerts
`,
    );
    const parameters = ['--json', 'alerts', '--rules', rules, '--from', 'earliest', '--until-end'];
    const run = (): Promise<{ status: number | null; stdout: Buffer; stderr: string }> =>
      ended(start('cloud/dist/cli/fleetlog-bin.js', parameters, { FLEETLOG_URL: cloud.api.url }));
    const { status, stdout, stderr } = await run();
    assert.equal(status, 0, stderr);
    const lines = stdout.toString().trimEnd().split('\n');
    assert.deepEqual(
      lines.map((line) => {
        const { rule, signal, state, time, value } = JSON.parse(line) as Record<string, unknown>;
        return [rule, signal, state, String(time).slice(17, 19), value];
      }),
      [
        ['hot', 'can0/Engine/Temp', 'raised', '41', 111],
        ['hot', 'can0/Engine/Temp', 'cleared', '43', 104],
        ['hot', 'can0/Engine/Temp', 'raised', '45', 112],
      ],
    );
    assert.deepEqual(posted, lines);
    assert.deepEqual(
      published,
      lines.map((line) => `alerts/${gateway}/hot ${line}`),
    );
    assert.match(stderr, /didn't take an alert \(status 503\); trying again/);
    assert.equal((await run()).stdout.length, 0, 'its checkpoint is behind what was told');
    const past = async (...more: string[]): Promise<string> => {
      const what = ['--json', 'alerts', '--rules', rules, '--past', ...more];
      const said = await ended(
        start('cloud/dist/cli/fleetlog-bin.js', what, { FLEETLOG_URL: cloud.api.url }),
      );
      assert.equal(said.status, 0, said.stderr);
      return said.stdout.toString();
    };
    assert.equal(await past(), `${lines.join('\n')}\n`, 'the same is said of the past');
    assert.equal(await past('--from', '1000000004', '--gateway', gateway), `${lines[2]}\n`);
    assert.equal(await past('--to', '1000000001'), '');
    assert.equal(await past('--gateway', 'van-8'), '');
    assert.equal(posted.length, 3, 'nobody else is told of it');
    hook.close();
    broker.close();
    aedes.close();
  });
});
