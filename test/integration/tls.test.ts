import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { silentLogger, type Logger } from '@fleetlog/shared/log';
import { Signal } from '@fleetlog/shared/util';
import { isFleetlogError } from '@fleetlog/shared/errors';
import { Broker, type BrokerOptions, type MessageSink } from '#cloud/broker/broker.js';
import type { TlsListener } from '#cloud/broker/tls-listener.js';
import type { TlsOptions } from '#gateway/uplink/dial.js';
import { connectMqtt } from '#gateway/uplink/mqtt-link.js';
import { checkCloud } from '../support/chaos/check.js';
import { Cloud } from '../support/chaos/cloud.js';
import { Gateway } from '../support/chaos/gateway.js';
import { generatedRecordings } from '../support/chaos/recordings.js';
import { Authority, type Certificate } from '../support/certificates.js';
import { Mosquitto } from '../support/mosquitto.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

/** Keeps what the broker hands over. */
class Sink implements MessageSink {
  readonly takes = true;
  readonly readable = new Signal();
  readonly batches: string[] = [];
  readonly refused: string[] = [];
  batch(gateway: string, stream: string): void {
    this.batches.push(`${gateway}/${stream}`);
  }
  status(): boolean {
    return true;
  }
  refuse(code: string, message: string): void {
    this.refused.push(`${code}: ${message}`);
  }
}

describe('TLS', function () {
  this.timeout(60_000);
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  let authority: Authority;
  let other: Authority;
  let server: Certificate;

  before(async function () {
    const why = Authority.whyNot();
    if (why !== undefined) {
      console.log(`      skipped: ${why}`);
      return this.skip();
    }
    folder = await tempFolder('tls');
    authority = new Authority(join(folder.path, 'ca'));
    other = new Authority(join(folder.path, 'other'), 'Somebody else');
    server = authority.issue('cloud', { names: 'DNS:localhost,IP:127.0.0.1' });
  });
  after(async () => folder?.[Symbol.asyncDispose]());

  describe('of the embedded broker', () => {
    let sink: Sink;
    let counted = 0;
    let broker: Broker | undefined;
    let url: string;

    afterEach(async () => {
      await broker?.[Symbol.asyncDispose]();
      broker = undefined;
    });

    const start = async (
      tls: Partial<TlsListener> = {},
      more: Partial<BrokerOptions> = {},
    ): Promise<void> => {
      sink = new Sink();
      let port = 0;
      const logger: Logger = {
        ...silentLogger,
        info: (facts) => void (port = (facts as { port: number }).port),
      };
      broker = await Broker.start(
        {
          host: '127.0.0.1',
          port: 0,
          users: { 'truck-1': { password: 'secret' } },
          connectionsMax: 100,
          packetBytesMax: 5 * 1024 * 1024,
          keepAliveSecondsMax: 600,
          connectTimeoutMs: 2000,
          tls: { host: '127.0.0.1', port: 0, ...server, clientCa: undefined, ...tls },
          ...more,
        },
        sink,
        logger,
      );
      url = `mqtts://127.0.0.1:${port}`;
    };
    const connect = (tls: TlsOptions, more: { url?: string; gateway?: string; password?: string } = {}) => {
      const { gateway = 'truck-1' } = more;
      return connectMqtt(
        {
          url: more.url ?? url,
          clientId: 'c',
          username: gateway,
          password: more.password,
          protocol: '3.1.1',
          tls,
          keepAliveMs: 15_000,
          connectTimeoutMs: 3000,
          will: { topic: `fleetlog/v1/${gateway}/status`, payload: Buffer.alloc(0) },
          subscribeTo: `fleetlog/v1/${gateway}/ack`,
          onMessage: () => undefined,
          meter: { count: (sent, received) => void (counted += sent + received) },
        },
        new AbortController().signal,
      );
    };
    const sends = async (tls: TlsOptions, more: { password?: string; url?: string } = {}): Promise<void> => {
      const link = await connect(tls, more);
      await link.publish('fleetlog/v1/truck-1/up/can0', Buffer.alloc(100_000));
      await until('the batch', () => sink.batches.length === 1);
      assert.deepEqual(sink.batches, ['truck-1/can0']);
      await link.end();
    };
    const complains = async (attempt: Promise<unknown>, sentence: RegExp): Promise<void> => {
      await assert.rejects(attempt, (error: unknown) => {
        assert.ok(isFleetlogError(error), String(error));
        assert.match(error.message, sentence);
        return true;
      });
    };

    it('lets a gateway in by its password', async () => {
      await start();
      counted = 0;
      await sends({ ca: authority.ca }, { password: 'secret' });
      // 100 kB in records of 16 KiB with 22 bytes each, the handshake, and MQTT's own.
      assert.ok(counted > 101_000 && counted < 106_000, `${counted} bytes on the wire`);
      await complains(connect({ ca: authority.ca }, { password: 'wrong' }), /refuses the gateway "truck-1"/);
    });

    it('knows a gateway by its certificate, and lets it be no other', async () => {
      await start({ clientCa: authority.ca });
      const mine = { ca: authority.ca, ...authority.issue('truck-1') };
      await sends(mine);
      await complains(connect(mine, { gateway: 'truck-2' }), /refuses the gateway "truck-2"/);
    });

    it('lets nobody in without a certificate where one is asked for, with a password neither', async () => {
      await start({ clientCa: authority.ca });
      await complains(
        connect({ ca: authority.ca }, { password: 'secret' }),
        /refuses the gateway "truck-1" .*, or give it a certificate with "uplink.tls"/,
      );
      assert.deepEqual(sink.refused, ['FLEETLOG_LOGIN: no certificate was shown']);
    });

    it('refuses certificates of gateways that are expired, or of another authority', async () => {
      await start({ clientCa: authority.ca });
      const expired = authority.issue('truck-1', { days: -1 });
      const foreign = other.issue('truck-1');
      for (const files of [expired, foreign]) {
        const attempt = connect({ ca: authority.ca, ...files });
        await complains(attempt, /refuses the gateway .*check "gateway" and "uplink.tls.certificate"/);
      }
      assert.match(sink.refused[0], /isn't accepted \(.*EXPIRED/);
      assert.match(sink.refused[1], /isn't accepted \(.*(ISSUER|SIGNATURE|VERIFY)/);
      assert.deepEqual(sink.batches, []);
    });

    it('is refused by gateways when its certificate has expired', async () => {
      await start(authority.issue('cloud', { names: 'IP:127.0.0.1', days: -1 }));
      await complains(
        connect({ ca: authority.ca }),
        /^The certificate of the cloud at mqtts:.* has expired; renew it there, or correct this gateway's clock, which says 2/,
      );
    });

    it('is refused by gateways when its certificate is for another name, unless they expect that one', async () => {
      await start(authority.issue('cloud', { names: 'DNS:elsewhere.example' }));
      await complains(
        connect({ ca: authority.ca }, { url: url.replace('127.0.0.1', 'localhost') }),
        /is for another name \(.*elsewhere\.example.*\); connect by a name that it has, or give that one as "uplink.tls.serverName"/,
      );
      await sends({ ca: authority.ca, serverName: 'elsewhere.example' }, { password: 'secret' });
    });

    it('is refused by gateways when its certificate is self-signed, unless they were given it', async () => {
      const lone = new Authority(join(folder.path, 'lone'), 'localhost');
      await start({ certificate: lone.ca, key: lone.ca.replace('.crt', '.key') });
      await complains(connect({}), /is self-signed; name it in "uplink.tls.ca"/);
      await sends({ ca: lone.ca, serverName: 'localhost' }, { password: 'secret' });
    });

    it('is refused by gateways that do not know its authority', async () => {
      await start();
      await complains(
        connect({}),
        /comes from an authority that isn't known here; name that one in "uplink.tls.ca"/,
      );
      await complains(connect({ ca: other.ca }), /comes from an authority that isn't known here/);
    });

    it('says so where the port does not speak TLS', async () => {
      await start();
      const plain = `mqtts://127.0.0.1:${broker?.address.port}`;
      await assert.rejects(
        connect({ ca: authority.ca }, { url: plain }),
        /can't be reached|doesn't speak TLS/,
      );
    });

    it('says which file is missing, or no PEM', async () => {
      await start();
      await complains(
        connect({ ca: '/nowhere/ca.crt' }),
        /The file \/nowhere\/ca.crt of "uplink.tls.ca" doesn't exist/,
      );
      const junk = join(folder.path, 'junk');
      await writeFile(junk, 'junk');
      await complains(connect({ certificate: junk, key: junk }), /aren't PEM, or key and certificate/);
      await assert.rejects(start({ key: '/nowhere' }), /The file \/nowhere of "mqtt.tls.key" doesn't exist/);
    });

    it('ends a connection that never shakes hands', async () => {
      await start({}, { connectTimeoutMs: 200 });
      const { connect: dial } = await import('node:net');
      const socket = dial(Number(new URL(url).port), '127.0.0.1');
      socket.on('error', () => undefined).resume();
      await new Promise((resolve) => socket.once('close', resolve));
      assert.ok(sink.refused.some((text) => text.startsWith('FLEETLOG_LOGIN')));
    });
  });

  it('carries everything from gateways through a mosquitto to the cloud, all known by certificates', async function () {
    if (Mosquitto.whyNot() !== undefined) return this.skip();
    const broker = await Mosquitto.start(join(folder.path, 'broker'), {
      lines: [
        `cafile ${authority.ca}`,
        `certfile ${server.certificate}`,
        `keyfile ${server.key}`,
        'require_certificate true',
        'use_identity_as_username true',
      ],
    });
    const url = `mqtts://127.0.0.1:${broker.port}`;
    const config = join(folder.path, 'cloud.yaml');
    const tls = { ca: authority.ca, ...authority.issue('fleetlog-cloud') };
    await writeFile(config, JSON.stringify({ mqtt: { broker: { url, tls } } }));
    const cloud = new Cloud(join(folder.path, 'cloud'), { args: ['--config', config], mqtt: null });
    try {
      await cloud.start();
      const gateway = await Gateway.prepare(
        'truck-9',
        join(folder.path, 'truck-9'),
        generatedRecordings(9, 5),
        {
          url,
          uplink: { protocol: '5', tls: { ca: authority.ca, ...authority.issue('truck-9') } },
        },
      );
      gateway.command.start();
      await gateway.drained(30_000);
      assert.deepEqual((await checkCloud(cloud, gateway.expectations)).complaints, []);
    } finally {
      await cloud.command.kill();
      await broker.kill();
    }
  });
});
