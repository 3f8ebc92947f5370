import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isFleetlogError } from '@fleetlog/shared/errors';
import { loadCloudConfig, type CloudFlags } from '#cloud/config.js';
import { tempFolder } from '../support/temp-folder.js';

interface Case {
  title: string;
  flags?: CloudFlags;
  environment?: Record<string, string>;
  yaml?: string;
  says: RegExp;
}

const refused: Case[] = [
  { title: 'no data folder', says: /--data DIR/ },
  { title: 'an address without a port', flags: { mqtt: 'localhost' }, says: /"mqtt.listen" is "localhost"/ },
  { title: 'a port over 65535', flags: { http: '127.0.0.1:99999' }, says: /"http.listen" is/ },
  { title: 'IPv6 without brackets', flags: { mqtt: '::1:1883' }, says: /must be like .*\[::1\]:1883/ },
  { title: 'an unknown log level', flags: { logLevel: 'loud' }, says: /"logLevel"/ },
  {
    title: 'a variable that is no address',
    environment: { FLEETLOG_MQTT: 'nowhere' },
    says: /"mqtt.listen" is "nowhere"/,
  },
  { title: 'a file that is no YAML', yaml: 'data: [', says: /cloud.yaml isn't YAML/ },
  { title: 'a file that is a list', yaml: '- data', says: /must be object/ },
  { title: 'a section that is a text', yaml: 'data: x\nmqtt: here', says: /"mqtt" must be object/ },
  { title: 'an unknown key', yaml: 'data: x\nmqtt: { port: 1 }', says: /unknown key "mqtt.port"/ },
  {
    title: 'a size without a unit',
    yaml: 'data: x\ningest: { queueSize: 64 }',
    says: /"ingest.queueSize" must be a size such as/,
  },
  {
    title: 'a wrong unit',
    yaml: 'data: x\nmqtt: { connectTimeout: 5MiB }',
    says: /"mqtt.connectTimeout" must be a duration/,
  },
  {
    title: 'a time-out of nothing',
    yaml: 'data: x\nmqtt: { connectTimeout: 1us }',
    says: /"mqtt.connectTimeout" must be from/,
  },
  { title: 'a keep-alive of days', yaml: 'data: x\nmqtt: { keepAliveMax: 2d }', says: /"mqtt.keepAliveMax"/ },
  {
    title: 'a packet size below the largest batch',
    yaml: 'data: x\nmqtt: { packetSizeMax: 1MiB }',
    says: /"mqtt.packetSizeMax" must be at least/,
  },
  { title: 'a tiny write buffer', yaml: 'data: x\nlog: { writeBuffer: 1B }', says: /"log.writeBuffer"/ },
  {
    title: 'a shared log in the folder',
    yaml: 'data: x\nlog: { shared: true }\nmqtt: { broker: { url: "mqtt://b" } }',
    says: /"log.shared" is for/,
  },
  {
    title: 'a shared log without a broker beside it',
    yaml: "data: x\nlog: { kind: kafka, brokers: ['k:1'], shared: true }",
    says: /"log.shared" needs "mqtt.broker"/,
  },
  {
    title: 'ingest alone on a log of its own',
    yaml: 'data: x\ningest: { only: true }',
    says: /"ingest.only" is for one of several/,
  },
  { title: 'Kafka without a broker', yaml: 'data: x\nlog: { kind: kafka }', says: /needs "log.brokers"/ },
  {
    title: 'brokers without Kafka',
    yaml: "data: x\nlog: { brokers: ['k:1'] }",
    says: /"log.brokers" is for/,
  },
  {
    title: 'a user of Kafka without a password',
    yaml: "data: x\nlog: { kind: kafka, brokers: ['k:1'], username: u }",
    says: /go together/,
  },
  { title: 'no partitions', yaml: 'data: x\nlog: { partitions: 0 }', says: /"log.partitions" must be >= 1/ },
  {
    title: 'a user that is no gateway id',
    yaml: 'data: x\nmqtt: { users: { Truck: { password: p } } }',
    says: /"mqtt.users.Truck" isn't a gateway id/,
  },
  {
    title: 'a user without a password',
    yaml: 'data: x\nmqtt: { users: { truck-17: {} } }',
    says: /missing key "mqtt.users.truck-17.password"/,
  },
  { title: 'everybody from everywhere', flags: { mqtt: '0.0.0.0:1' }, says: /mqtt.users.*mqtt.open: true/ },
  { title: 'everybody by IPv6', flags: { mqtt: '[::]:1' }, says: /mqtt.users.*mqtt.open: true/ },
];

describe("the cloud's configuration", () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  beforeEach(async () => {
    folder = await tempFolder('config');
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  const file = async (yaml: string): Promise<string> => {
    const path = join(folder.path, 'cloud.yaml');
    await writeFile(path, yaml);
    return path;
  };

  for (const { title, flags = {}, environment = {}, yaml, says } of refused) {
    it(`refuses ${title}, and says which key`, async () => {
      const path = yaml === undefined ? undefined : await file(yaml);
      const data = yaml === undefined && title !== 'no data folder' ? { data: 'x' } : {};
      assert.throws(
        () => loadCloudConfig(path, environment, { ...data, ...flags }),
        (error) => {
          assert.ok(isFleetlogError(error, 'FLEETLOG_CONFIG'), String(error));
          assert.match(error.message, says);
          assert.doesNotMatch(error.message, /\n/);
          return true;
        },
      );
    });
  }

  it('has a default for everything but the data folder', () => {
    const config = loadCloudConfig(undefined, {}, { data: '/data' });
    assert.deepEqual(config, {
      data: '/data',
      logLevel: 'info',
      mqtt: {
        host: '127.0.0.1',
        port: 1883,
        users: undefined,
        connectionsMax: 10_000,
        packetBytesMax: 5 * 1024 * 1024,
        keepAliveSecondsMax: 600,
        connectTimeoutMs: 10_000,
        tls: undefined,
        broker: undefined,
      },
      http: { host: '127.0.0.1', port: 8080 },
      log: { kind: 'rocksdb', partitions: undefined, writeBufferBytes: 32 * 1024 * 1024 },
      ingest: { bytesMax: 64 * 1024 * 1024, messagesMax: 20_000, only: false },
      names: { newStreamsPerDay: 2000, gatewaysMax: 100_000 },
      retention: { rules: [], everyMs: 60_000 },
      disk: { minFreeBytes: 256 * 1024 * 1024 },
      columns: { bytesMax: 512 * 1024 * 1024 },
      rollups: { bytesMax: 256 * 1024 * 1024, signals: [] },
    });
  });

  it('takes a flag over a variable over the file over the default', async () => {
    const path = await file(
      'data: ./d\nlogLevel: warn\nmqtt: { listen: "127.0.0.1:1" }\nhttp: { listen: "127.0.0.1:2" }',
    );
    const environment = { FLEETLOG_MQTT: '127.0.0.1:3', FLEETLOG_HTTP: '127.0.0.1:4' };
    const { mqtt, http, data, logLevel } = loadCloudConfig(path, environment, { http: '[::1]:5' });
    assert.deepEqual([mqtt.port, http.host, http.port, logLevel], [3, '::1', 5, 'warn']);
    assert.equal(data, join(folder.path, 'd'), "a path in the file counts from the file's folder");
    const moved = loadCloudConfig(path, { FLEETLOG_DATA: 'e', FLEETLOG_LOG_LEVEL: 'error' }, {});
    assert.equal(moved.data, join(process.cwd(), 'e'));
    assert.equal(moved.logLevel, 'error');
  });

  it('lets others in with users, or where it is said to be open', async () => {
    for (const section of ['open: true', 'users: { truck-17: { password: p } }']) {
      const path = await file(`data: x\nmqtt: { listen: "0.0.0.0:1883", ${section} }`);
      assert.equal(loadCloudConfig(path, {}, {}).mqtt.host, '0.0.0.0');
    }
    for (const host of ['localhost', '127.1.2.3', '[::1]']) {
      assert.ok(loadCloudConfig(undefined, {}, { data: 'x', mqtt: `${host}:1` }));
    }
  });

  it('takes a broker in the place of a listener, with all that it needs to know', async () => {
    await using folder = await tempFolder('config');
    const path = join(folder.path, 'cloud.yaml');
    const load = async (mqtt: object, flags = {}, environment = {}) => {
      await writeFile(path, JSON.stringify({ data: 'd', mqtt }));
      return loadCloudConfig(path, environment, flags).mqtt.broker;
    };
    const broker = { url: 'mqtts://broker:8883', username: 'cloud' };
    const loaded = await load(
      { broker: { ...broker, clientId: 'c' } },
      {},
      { FLEETLOG_BROKER_PASSWORD: 'secret' },
    );
    assert.deepEqual(loaded, {
      ...broker,
      password: 'secret',
      tls: {},
      clientId: 'c',
      group: 'fleetlog',
      receiveMax: 256,
      packetBytesMax: 5 * 1024 * 1024,
      connectTimeoutMs: 10_000,
      keepAliveMs: 30_000,
      sessionSeconds: 3600,
    });
    await assert.rejects(load({ broker }, { mqtt: '127.0.0.1:1' }), /leave out --mqtt/);
    await assert.rejects(load({ broker: { url: 'http://x' } }), /"mqtt.broker.url" is "http:/);
    await assert.rejects(load({ broker: { ...broker, keepAlive: '1s' } }), /from 10s to 1h/);
    await assert.rejects(load({ broker, users: { g: { password: 'p' } } }), /remove "mqtt.users"/);
  });

  it('takes Kafka in the place of the folder, its password from the environment', async () => {
    await using folder = await tempFolder('config');
    const path = join(folder.path, 'cloud.yaml');
    const log = { kind: 'kafka', brokers: ['a:9092', 'b:9092'], username: 'u', replicas: 3, tls: {} };
    await writeFile(path, JSON.stringify({ data: 'd', log }));
    const loaded = loadCloudConfig(path, { FLEETLOG_KAFKA_PASSWORD: 'secret' }, {}).log;
    assert.ok(loaded.kind === 'kafka');
    const { clientId, tls, ...rest } = loaded;
    assert.match(clientId, /^fleetlog-cloud-/);
    assert.ok(tls);
    assert.deepEqual(rest, {
      kind: 'kafka',
      brokers: ['a:9092', 'b:9092'],
      shared: false,
      topic: 'fleetlog',
      partitions: undefined,
      replicas: 3,
      sasl: { mechanism: 'SCRAM-SHA-512', username: 'u', password: 'secret' },
    });
  });
});
