import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isFleetlogError } from '@fleetlog/shared/errors';
import { checkGatewayConfig, loadGatewayConfig } from '#gateway/config.js';
import { tempFolder } from '../support/temp-folder.js';

const file = (changes: object = {}): Record<string, unknown> => ({
  gateway: 'truck-17',
  data: './truck-17',
  uplink: { url: 'mqtt://127.0.0.1:1883' },
  streams: {
    can0: { source: 'file', path: 'drive.candump', format: 'candump', pace: 'max', times: 'original' },
  },
  ...changes,
});

describe("the gateway's configuration", () => {
  it('fills in the defaults, and takes paths from where the file is', () => {
    const config = checkGatewayConfig(file(), '/etc/fleetlog/truck.yaml');
    assert.equal(config.data, '/etc/fleetlog/truck-17');
    assert.equal(config.streams.can0.path, '/etc/fleetlog/drive.candump');
    assert.deepEqual(config.uplink, {
      url: 'mqtt://127.0.0.1:1883',
      password: undefined,
      protocol: '3.1.1',
      tls: { ca: undefined, certificate: undefined, key: undefined, serverName: undefined },
      keepAliveMs: 15_000,
      connectTimeoutMs: 10_000,
      reconnectMsMax: 30_000,
      ackTimeoutMs: 15_000,
      window: { batches: 64, bytes: 4 * 1024 * 1024 },
      bytesPerSecond: Infinity,
      budget: undefined,
      compression: undefined,
      backlog: { order: 'oldest-first', share: 1, bytesPerSecond: Infinity },
    });
    assert.equal(config.buffer.commitIntervalMs, 250);
    assert.equal(config.logLevel, 'info');
  });

  it('takes quantities with their units, and the MQTT version as YAML reads it', () => {
    const config = checkGatewayConfig(
      file({
        uplink: {
          url: 'mqtts://cloud',
          protocol: 5,
          tls: { ca: 'ca.crt', serverName: 'cloud' },
          keepAlive: '1min',
          window: { batches: 8, bytes: '64KiB' },
          rate: '64kB',
          linger: '10s',
          compression: 19,
          budget: { month: '2GB', priority: 7 },
          backlog: { order: 'newest-first', share: 0.5, rate: '10kB' },
        },
        buffer: { commitInterval: '1s' },
      }),
      'truck.yaml',
    );
    assert.match(config.uplink.tls.ca ?? '', /^\/.*ca\.crt$/);
    assert.equal(config.uplink.bytesPerSecond, 64_000);
    assert.deepEqual(config.uplink.budget, { bytes: 2e9, priority: 7 });
    assert.equal(config.uplink.compression, 19);
    assert.equal(config.streams.can0.batch.linger, '10s');
    assert.deepEqual(config.uplink.backlog, { order: 'newest-first', share: 0.5, bytesPerSecond: 10_000 });
    assert.equal(config.uplink.protocol, '5');
    assert.equal(config.uplink.keepAliveMs, 60_000);
    assert.deepEqual(config.uplink.window, { batches: 8, bytes: 65_536 });
    assert.equal(config.buffer.commitIntervalMs, 1000);
  });

  it('lets the environment win over the file, and flags over both', async () => {
    await using folder = await tempFolder('config');
    const path = join(folder.path, 'truck.yaml');
    await writeFile(path, JSON.stringify(file({ logLevel: 'error' })));
    const environment = {
      FLEETLOG_GATEWAY: 'truck-18',
      FLEETLOG_DATA: '/var/lib/fleetlog',
      FLEETLOG_UPLINK_URL: 'mqtt://cloud:1884',
      FLEETLOG_UPLINK_PASSWORD: 'secret',
      FLEETLOG_LOG_LEVEL: 'warn',
    };
    const config = loadGatewayConfig(path, environment);
    assert.equal(config.gateway, 'truck-18');
    assert.equal(config.data, '/var/lib/fleetlog');
    assert.equal(config.uplink.url, 'mqtt://cloud:1884');
    assert.equal(config.uplink.password, 'secret');
    assert.equal(config.logLevel, 'warn');
    assert.equal(loadGatewayConfig(path, environment, { logLevel: 'debug' }).logLevel, 'debug');
    assert.equal(loadGatewayConfig(path, {}).logLevel, 'error');
  });

  const stream = { source: 'file', path: 'a.candump', format: 'candump' };
  const mistakes: [string, object, RegExp][] = [
    ['an id with capitals', { gateway: 'Truck 17' }, /"gateway" is "Truck 17"; an id is made of a-z/],
    ['an id that is no text', { gateway: 17 }, /"gateway"/],
    ['no uplink', { uplink: undefined }, /missing key "uplink"/],
    ['an unknown key', { uplnk: {} }, /unknown key "uplnk"/],
    ['an unknown key below', { uplink: { url: 'mqtt://x', windo: 3 } }, /unknown key "uplink\.windo"/],
    ['a URL of another kind', { uplink: { url: 'http://x' } }, /must be like mqtt:\/\/HOST:1883/],
    ['no URL', { uplink: { url: 'x' } }, /must be like mqtt/],
    ['a password in the URL', { uplink: { url: 'mqtt://a:b@x' } }, /goes to "uplink\.password"/],
    [
      'a duration without unit',
      { uplink: { url: 'mqtt://x', keepAlive: '15' } },
      /uplink\.keepAlive.*duration such as/,
    ],
    ['a size in a wrong unit', { buffer: { writeBuffer: '8s' } }, /buffer\.writeBuffer.*size such as/],
    ['a keep-alive below MQTT’s unit', { uplink: { url: 'mqtt://x', keepAlive: '10ms' } }, /at least 1s/],
    ['an empty window', { uplink: { url: 'mqtt://x', window: { batches: 0 } } }, /uplink\.window\.batches/],
    ['an unknown level', { logLevel: 'loud' }, /logLevel/],
    [
      'a stream name with a slash',
      { streams: { 'can/0': stream } },
      /the stream name "can\/0" isn't possible/,
    ],
    [
      'two readers of a file',
      { streams: { a: stream, b: { ...stream, path: './a.candump' } } },
      /"a" and "b" both read/,
    ],
    ['an unknown source', { streams: { a: { ...stream, source: 'tea' } } }, /streams\.a/],
  ];
  for (const [what, changes, sentence] of mistakes) {
    it(`refuses ${what} with a sentence`, () => {
      assert.throws(
        () => checkGatewayConfig(JSON.parse(JSON.stringify(file(changes))), 'truck.yaml'),
        (error) => isFleetlogError(error, 'FLEETLOG_CONFIG') && sentence.test(error.message),
      );
    });
  }

  it('refuses a file that is missing or no YAML', async () => {
    await using folder = await tempFolder('config');
    assert.throws(() => loadGatewayConfig(join(folder.path, 'none.yaml'), {}), /doesn't exist/);
    const path = join(folder.path, 'bad.yaml');
    await writeFile(path, 'a: [');
    assert.throws(() => loadGatewayConfig(path, {}), /isn't YAML/);
    await writeFile(path, '');
    assert.throws(() => loadGatewayConfig(path, {}), /missing key/);
  });
});
