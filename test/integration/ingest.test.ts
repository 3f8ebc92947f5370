import assert from 'node:assert/strict';
import { decodeBatch, type BatchHeader } from '@fleetlog/shared/batch';
import { silentLogger } from '@fleetlog/shared/log';
import { openRocksDb } from '@fleetlog/shared/store';
import { encodeMessage, topics, type GatewayStatus } from '@fleetlog/shared/topics';
import { systemClock } from '@fleetlog/shared/util';
import { Broker } from '#cloud/broker/broker.js';
import { Ingest } from '#cloud/ingest/ingest.js';
import type { Log } from '#cloud/log/log.js';
import { logOver } from '#cloud/log/rocksdb-log.js';
import { all } from '../support/collect.js';
import { FaultyStore } from '../support/faulty-store.js';
import { seal } from '../support/batches.js';
import { MqttSocket } from '../support/mqtt-socket.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

const gateway = 'truck-17';
const queueBytes = 4 * 1024 * 1024;

const batch = (sequence: number, changes: Partial<BatchHeader> = {}, payloadBytes = 100): Uint8Array => {
  const payload = Buffer.alloc(payloadBytes, sequence);
  const facts = { kind: 'can', codec: 'can-1', recordCount: 10, firstTimeUs: 1, lastTimeUs: 2 } as const;
  return seal(
    { ...facts, payload, rawBytes: payloadBytes },
    { gateway, sequence, stream: 'can0', ...changes },
  );
};

describe('broker, ingest and log together', () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  let store: FaultyStore;
  let log: Log;
  let ingest: Ingest;
  let broker: Broker;

  beforeEach(async () => {
    folder = await tempFolder('ingest');
    store = new FaultyStore(await openRocksDb({ path: folder.path, purpose: 'data folder' }));
    const parts = { logger: silentLogger, clock: systemClock };
    log = await logOver(store, { partitions: 2, ...parts });
    ingest = await Ingest.open({ log, ...parts, queue: { bytesMax: queueBytes, messagesMax: 1000 } });
    const options = {
      host: '127.0.0.1',
      port: 0,
      users: undefined,
      connectionsMax: 100,
      packetBytesMax: 5 * 1024 * 1024,
      keepAliveSecondsMax: 600,
      connectTimeoutMs: 10_000,
      tls: undefined,
    };
    broker = await Broker.start(options, ingest, silentLogger);
    ingest.start(broker);
  });
  afterEach(async () => {
    await ingest[Symbol.asyncDispose]();
    await broker[Symbol.asyncDispose]();
    await log[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  const login = async (id = gateway): Promise<MqttSocket> => {
    const client = await MqttSocket.open(broker.address.port);
    assert.equal(await client.login(id), 0);
    await client.subscribe(topics.ack(id));
    return client;
  };
  const heldBy = (client: MqttSocket, stream = 'can0'): number[] =>
    client.acks(gateway).findLast(({ streams }) => stream in streams)?.streams[stream].held ?? [];
  const sequencesInLog = async (): Promise<number[]> =>
    (await all(log.read(log.partitionOf(gateway), 0))).map(({ bytes }) => decodeBatch(bytes).header.sequence);

  it('what a gateway sends is acknowledged to it once it is in the log', async () => {
    await using client = await login();
    for (let sequence = 0; sequence < 200; sequence++) {
      client.publish(topics.up(gateway, 'can0'), batch(sequence));
      if (sequence % 3 === 0) client.publish(topics.up(gateway, 'can0'), batch(sequence));
    }
    await until('all are held', () => heldBy(client)[1] === 199);
    assert.deepEqual(
      await sequencesInLog(),
      Array.from({ length: 200 }, (_, i) => i),
    );
  });

  it('a batch that is confirmed and not durable is not acknowledged', async () => {
    await using client = await login();
    let release = (): void => undefined;
    store.holdSync = new Promise((resolve) => (release = resolve));
    const id = client.publish(topics.up(gateway, 'can0'), batch(0));
    await until('the broker confirms', () => client.isConfirmed(id));
    await until('it is written', () => store.writes > 1);
    assert.deepEqual(client.acks(gateway), []);
    release();
    await until('it is acknowledged', () => client.acks(gateway).length === 1);
  });

  it('what a slow disk keeps waiting is bounded, and the senders wait', async () => {
    const clients = await Promise.all([1, 2, 3].map((i) => login(`truck-${i}`)));
    let release = (): void => undefined;
    store.holdSync = new Promise((resolve) => (release = resolve));
    const batches = 32;
    for (const [i, client] of clients.entries()) {
      const id = `truck-${i + 1}`;
      for (let sequence = 0; sequence < batches; sequence++) {
        client.publish(topics.up(id, 'can0'), batch(sequence, { gateway: id }, 1024 * 1024));
      }
    }
    await until('nothing more is read', () => !ingest.takes);
    const confirmed = (): number =>
      clients.flatMap(({ received }) => received).filter(({ cmd }) => cmd === 'puback').length;
    await until('nothing more is confirmed', async () => {
      const before = confirmed();
      await new Promise((resolve) => setTimeout(resolve, 200));
      return confirmed() === before;
    });
    assert.ok(confirmed() <= queueBytes / (1024 * 1024) + 1, `${confirmed()} batches of 1 MiB are in memory`);
    release();
    store.holdSync = undefined;
    for (const [i, client] of clients.entries()) {
      await until(
        'all are held',
        () => client.acks(`truck-${i + 1}`).at(-1)?.streams.can0.held[1] === batches - 1,
      );
      await client[Symbol.asyncDispose]();
    }
    assert.equal(ingest.counters.batches, 3 * batches);
    assert.equal(ingest.counters.duplicates, 0);
  });

  it("another gateway's batch is refused and counted, and its connection goes on", async () => {
    await using client = await login();
    client.publish(topics.up(gateway, 'can0'), batch(0, { gateway: 'truck-18' }));
    client.publish(topics.up('truck-18', 'can0'), batch(0, { gateway: 'truck-18' }));
    client.publish(topics.up(gateway, 'can0'), batch(0));
    await until('the own one is held', () => heldBy(client)[1] === 0);
    assert.deepEqual(ingest.counters.refused, { FLEETLOG_FOREIGN_GATEWAY: 2 });
    assert.equal(
      log.ends().reduce((sum, { next }) => sum + next, 0),
      1,
    );
  });

  it('a batch that can never be taken is told to its gateway', async () => {
    await using client = await login();
    client.publish(topics.up(gateway, 'gps'), batch(7));
    await until('it is told', () => client.acks(gateway).length === 1);
    const { held, refused } = client.acks(gateway)[0].streams.can0;
    assert.deepEqual(held, []);
    assert.deepEqual(
      refused?.map(({ sequence, code }) => ({ sequence, code })),
      [{ sequence: 7, code: 'FLEETLOG_TOPIC' }],
    );
  });

  it('a gateway counts as connected until its last will comes', async () => {
    const status: GatewayStatus = {
      connected: true,
      epoch: '0011223344556677',
      version: '1',
      timeUs: 1,
      streams: {},
    };
    await using client = await MqttSocket.open(broker.address.port);
    const payload = Buffer.from(encodeMessage({ ...status, connected: false }));
    await client.login(gateway, { will: { topic: topics.status(gateway), payload, qos: 1, retain: true } });
    client.publish(topics.status(gateway), encodeMessage(status), { retain: true });
    await until('it is connected', () => ingest.presence()[0]?.connected);
    client.socket.resetAndDestroy();
    await until('it is not', () => !ingest.presence()[0].connected);
  });
});
