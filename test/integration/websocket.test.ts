import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Authority } from '../support/certificates.js';
import { checkCloud } from '../support/chaos/check.js';
import { Cloud } from '../support/chaos/cloud.js';
import { Gateway } from '../support/chaos/gateway.js';
import { bins, run } from '../support/chaos/process.js';
import { generatedRecordings } from '../support/chaos/recordings.js';
import { freePorts } from '../support/free-ports.js';
import { Mosquitto } from '../support/mosquitto.js';
import { tempFolder } from '../support/temp-folder.js';

/** Counts the bytes of all connections that go through it. */
class CountingRelay implements AsyncDisposable {
  sent = 0;
  received = 0;
  private readonly server = createServer((gateway) => {
    const broker = connect(this.to, '127.0.0.1');
    gateway.on('data', (bytes) => (this.sent += bytes.length)).pipe(broker);
    broker.on('data', (bytes) => (this.received += bytes.length)).pipe(gateway);
    for (const socket of [gateway, broker]) socket.on('error', () => undefined); // the other side's end says it
    broker.on('close', () => gateway.resume()); // a pipe whose end is gone reads no further, and would never end
    gateway.on('close', () => broker.destroy());
  });

  constructor(private readonly to: number) {}

  async listen(): Promise<number> {
    await once(this.server.listen(0, '127.0.0.1'), 'listening');
    return (this.server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.close();
    await once(this.server, 'close');
  }
}

describe('a gateway that reaches its broker by WebSocket', function () {
  this.timeout(60_000);
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  let authority: Authority;
  let broker: Mosquitto;
  let cloud: Cloud;
  const ports: Record<string, number> = {};

  before(async function () {
    const why = Mosquitto.whyNot() ?? Authority.whyNot();
    if (why !== undefined) {
      console.log(`      skipped: ${why}`);
      return this.skip();
    }
    folder = await tempFolder('websocket');
    authority = new Authority(join(folder.path, 'ca'));
    const { certificate, key } = authority.issue('broker', { names: 'IP:127.0.0.1' });
    [ports.ws, ports.wss] = await freePorts(2);
    const lines = [
      `listener ${ports.ws} 127.0.0.1`,
      'protocol websockets',
      `listener ${ports.wss} 127.0.0.1`,
      'protocol websockets',
      `certfile ${certificate}`,
      `keyfile ${key}`,
    ];
    broker = await Mosquitto.start(join(folder.path, 'broker'), { users: { ws: 'one', wss: 'two' }, lines });
    const config = join(folder.path, 'cloud.yaml');
    await writeFile(config, JSON.stringify(broker.cloudConfig()));
    cloud = new Cloud(join(folder.path, 'cloud'), { args: ['--config', config], mqtt: null });
    await cloud.start();
  });
  after(async () => {
    await cloud?.command.kill();
    await broker?.kill();
    await folder?.[Symbol.asyncDispose]();
  });

  for (const [scheme, password] of [
    ['ws', 'one'],
    ['wss', 'two'],
  ]) {
    it(`brings everything by ${scheme}, once, and counts each byte that the wire carried`, async () => {
      await using relay = new CountingRelay(ports[scheme]);
      const port = await relay.listen();
      const tls = scheme === 'wss' ? { tls: { ca: authority.ca } } : {};
      const gateway = await Gateway.prepare(scheme, join(folder.path, scheme), generatedRecordings(5, 10), {
        url: `${scheme}://127.0.0.1:${port}`,
        uplink: { password, ...tls },
      });
      // The second time there is nothing to send: what was counted before is counted on.
      for (let start = 0; start < 2; start++) {
        gateway.command.start();
        await gateway.drained(30_000);
        const { complaints } = await checkCloud(cloud, gateway.expectations);
        assert.deepEqual(complaints, [], gateway.command.log);
        const path = join(gateway.dataFolder, 'traffic.json');
        const counted = JSON.parse(await readFile(path, 'utf8')) as { sent: number; received: number };
        assert.ok(relay.sent > 20_000, `${relay.sent} bytes went over the wire`);
        assert.equal(counted.sent, relay.sent);
        // What the broker said after the gateway's goodbye may not have been read.
        const unread = relay.received - counted.received;
        assert.ok(unread >= 0 && unread < 200 * (start + 1), `${unread} bytes received weren't counted`);
      }
    });
  }

  it('has its way tried by the doctor, and says what is wrong with a certificate', async () => {
    const doctor = async (url: string, uplink: object): Promise<string> => {
      const gateway = await Gateway.prepare('wss', join(folder.path, 'doctor'), [], { url, uplink });
      return (
        await run(bins.gateway, ['doctor', '--config', gateway.configPath, '--no-listen'])
      ).stdout.toString();
    };
    const url = `wss://127.0.0.1:${ports.wss}`;
    const fine = await doctor(url, { password: 'two', tls: { ca: authority.ca } });
    assert.match(fine, /The cloud takes the gateway "wss" in\./, fine);
    const untrusted = await doctor(url, { password: 'two' });
    assert.match(untrusted, /BAD +cloud +.*certificate.*uplink\.tls\.ca/, untrusted);
    const stranger = await doctor(url, { password: 'wrong', tls: { ca: authority.ca } });
    assert.match(stranger, /refuses the gateway "wss"/, stranger);
  });
});
