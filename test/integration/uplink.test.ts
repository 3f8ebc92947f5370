import assert from 'node:assert/strict';
import { silentLogger, type Logger } from '@fleetlog/shared/log';
import { encodeMessage, topics } from '@fleetlog/shared/topics';
import { systemClock } from '@fleetlog/shared/util';
import type { GatewayBuffer } from '#gateway/buffer/buffer.js';
import { openBuffer } from '#gateway/buffer/open-buffer.js';
import { openBufferOn } from '#gateway/buffer/rocksdb-buffer.js';
import { connectMqtt } from '#gateway/uplink/mqtt-link.js';
import { Budget, type BudgetLimits } from '#gateway/uplink/budget.js';
import { WireMeter } from '#gateway/uplink/wire-meter.js';
import { Uplink, type UplinkOptions } from '#gateway/uplink/uplink.js';
import { openRocksDb } from '@fleetlog/shared/store';
import { bufferOptions } from '../support/buffer-options.js';
import { Prng } from '#sim/vehicle/prng.js';
import { TcpProxy } from '../support/chaos/tcp-proxy.js';
import { FakeCloud } from '../support/fake-cloud.js';
import { FaultyStore } from '../support/faulty-store.js';
import { LinkProxy } from '#sim/fleet/link-proxy.js';
import { sealedBatch } from '../support/sealed-batches.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

/** An uplink under test, running until it is disposed of. */
class RunningUplink implements AsyncDisposable {
  readonly messages: string[] = [];
  readonly uplink: Uplink;
  private readonly stop = new AbortController();
  private readonly done: Promise<void>;

  constructor(
    buffer: GatewayBuffer,
    url: string,
    options: Partial<UplinkOptions> = {},
    budget: Partial<BudgetLimits> = {},
  ) {
    const note = (_facts: object, message: string): void => void this.messages.push(message);
    const logger: Logger = { ...silentLogger, info: note, warn: note, error: note };
    const meter = WireMeter.load('/nonexistent/traffic.json', systemClock, logger);
    const priorityOf = (stream: string): number =>
      stream === 'events' ? Infinity : stream === 'gps' ? 8 : 5;
    this.uplink = new Uplink(
      {
        gateway: 'truck-1',
        url,
        password: undefined,
        protocol: '3.1.1',
        tls: {},
        keepAliveMs: 15_000,
        connectTimeoutMs: 500,
        reconnectMsMax: 30_000,
        ackTimeoutMs: 15_000,
        window: { batches: 64, bytes: 4 * 1024 * 1024 },
        bytesPerSecond: Infinity,
        backlog: { order: 'oldest-first', share: 1, bytesPerSecond: Infinity },
        version: '0.0.0',
        ...options,
      },
      {
        budget: new Budget(
          meter,
          { bytes: Infinity, priority: 10, ...budget },
          { priorityOf, events: { note: (type) => void this.messages.push(type) }, logger },
        ),
        buffer,
        connect: connectMqtt,
        clock: systemClock,
        random: () => 0.1,
        logger,
      },
    );
    this.done = this.uplink.run(this.stop.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop.abort();
    await this.done;
  }
}

describe('uplink', () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  let buffer: GatewayBuffer;
  let cloud: FakeCloud;

  beforeEach(async () => {
    folder = await tempFolder('uplink');
    buffer = await openBuffer(bufferOptions(folder.path));
    cloud = await FakeCloud.start();
  });
  afterEach(async () => {
    await cloud[Symbol.asyncDispose]();
    await buffer[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  const put = async (stream: string, count: number, bytes = 100): Promise<void> => {
    for (let i = 0; i < count; i++) await buffer.put(stream, sealedBatch(`${stream}-${i}`, { bytes }));
    await buffer.flush();
  };
  /** Long enough for whatever the uplink would wrongly send: several times there and back on the same connection. */
  const roundTrips = async ({ uplink }: RunningUplink): Promise<void> => {
    for (let i = 0; i < 5; i++) {
      const before = uplink.state.counters.malformedAcknowledgements;
      cloud.publish(topics.ack('truck-1'), Buffer.from('nonsense'));
      await until('an answer', () => uplink.state.counters.malformedAcknowledgements > before);
    }
  };
  const isEmpty = (): boolean => buffer.streams().every((s) => s.batches === 0);

  it('sends what is in the buffer and what comes later, in order, and trims what the cloud acknowledged', async () => {
    await put('can0', 100);
    await using _ = new RunningUplink(buffer, cloud.url);
    await until('an empty buffer', isEmpty);
    await put('can0', 20);
    await put('gps', 3);
    await until('an empty buffer', isEmpty);
    assert.deepEqual(cloud.sequences('can0'), [...Array(120).keys()]);
    assert.deepEqual(cloud.sequences('gps'), [0, 1, 2]);
  });

  it('trims nothing because the broker took it', async () => {
    cloud.dropAcks = true;
    await put('can0', 3);
    await using running = new RunningUplink(buffer, cloud.url);
    await until('arrival', () => cloud.arrivals.length === 3);
    await roundTrips(running);
    assert.equal(buffer.streams()[0].first, 0);
    assert.equal(buffer.streams()[0].batches, 3);
  });

  it('sends again what the cloud did not acknowledge in time', async () => {
    cloud.dropAcks = true;
    await put('can0', 3);
    await using running = new RunningUplink(buffer, cloud.url, { ackTimeoutMs: 200 });
    await until('a second arrival', () => cloud.arrivals.length >= 6);
    cloud.dropAcks = false;
    await until('an empty buffer', isEmpty);
    assert.equal(cloud.heldOf('truck-1', buffer.epoch, 'can0').size, 3);
    assert.ok(running.uplink.state.counters.resentBatches >= 3);
  });

  it('never has more batches on their way than its window', async () => {
    cloud.holdAcks = true;
    await using running = new RunningUplink(buffer, cloud.url, { window: { batches: 10, bytes: 1e6 } });
    await until('a connection', () => running.uplink.state.connected);
    await put('can0', 40);
    await put('gps', 40);
    await until('a full window', () => cloud.arrivals.length >= 10);
    await roundTrips(running);
    assert.equal(cloud.arrivals.length, 10);
    assert.equal(running.uplink.state.inFlightBatches, 10);
    cloud.releaseAcks();
    await until('an empty buffer', isEmpty);
    assert.equal(cloud.arrivals.length, 80);
  });

  it('never has more bytes on their way than its window, and still sends a batch that is larger', async () => {
    cloud.holdAcks = true;
    await using running = new RunningUplink(buffer, cloud.url, { window: { batches: 64, bytes: 5000 } });
    await until('a connection', () => running.uplink.state.connected);
    await put('can0', 10, 1000);
    await put('can0', 1, 20_000);
    await put('can0', 5, 1000);
    await until('a full window', () => cloud.arrivals.length >= 4);
    await roundTrips(running);
    assert.equal(cloud.arrivals.length, 4);
    assert.ok(running.uplink.state.inFlightBytes <= 5000);
    cloud.releaseAcks();
    await until('an empty buffer', isEmpty);
    assert.equal(cloud.arrivals.length, 16);
  });

  it('lets streams take turns while the window is full', async () => {
    cloud.holdAcks = true;
    await put('can0', 100);
    await put('gps', 20);
    await using _ = new RunningUplink(buffer, cloud.url, { window: { batches: 32, bytes: 1e6 } });
    await until('a full window', () => cloud.arrivals.length === 28);
    assert.equal(cloud.sequences('gps').length, 12);
  });

  it('keeps room in a window that the backlog fills, and sends what comes now before what is older', async () => {
    cloud.holdAcks = true;
    await put('can0', 100);
    await using running = new RunningUplink(buffer, cloud.url, { window: { batches: 16, bytes: 1e6 } });
    await until('a window full of backlog', () => running.uplink.state.inFlightBatches === 14);
    await put('can0', 2);
    await until('the live batches', () => cloud.arrivals.length === 16);
    assert.deepEqual(cloud.sequences('can0').slice(-2), [100, 101]);
    cloud.releaseAcks();
    await until('an empty buffer', isEmpty);
  });

  it('sends no backlog at a share of 0, and slowly at a low rate', async () => {
    await put('can0', 20, 1000);
    const backlog = { order: 'oldest-first' as const, share: 0, bytesPerSecond: Infinity };
    {
      await using running = new RunningUplink(buffer, cloud.url, { backlog });
      await until('a connection', () => running.uplink.state.connected);
      await put('can0', 3);
      await until('the live batches', () => cloud.arrivals.length === 3);
      await roundTrips(running);
      assert.deepEqual(cloud.sequences('can0'), [20, 21, 22]);
    }
    const startMs = performance.now();
    await using _ = new RunningUplink(buffer, cloud.url, {
      backlog: { ...backlog, share: 1, bytesPerSecond: 20_000 },
    });
    await until('an empty buffer', isEmpty);
    const tookMs = performance.now() - startMs;
    assert.ok(tookMs > 900, `23 kB in ${tookMs} ms`);
    assert.equal(cloud.arrivals.length, 23);
  });

  it('counts what goes over the wire, and stops at its budget with what has no priority', async () => {
    await using running = new RunningUplink(buffer, cloud.url, {}, { bytes: 20_000, priority: 8 });
    await put('can0', 40, 1000);
    await until('the end of the budget', () => running.uplink.state.budget.level === 'used-up');
    await until('answers to all that is under way', () => running.uplink.state.inFlightBatches === 0);
    const sent = cloud.sequences('can0').length;
    assert.ok(sent >= 15 && sent < 40, `${sent} batches`);
    await put('gps', 3, 1000);
    await until('what has priority', () => cloud.sequences('gps').length === 3);
    await roundTrips(running);
    assert.equal(cloud.sequences('can0').length, sent);
    const { sent: bytes } = running.uplink.state.budget;
    assert.ok(
      bytes > (sent + 3) * 1050 && bytes < (sent + 3) * 1400 + 2000,
      `${bytes} bytes of ${sent} batches`,
    );
    assert.ok(running.messages.includes('uplink.budget-used-up'));
  });

  it('keeps to its rate with live batches too', async () => {
    await using running = new RunningUplink(buffer, cloud.url, { bytesPerSecond: 20_000 });
    await until('a connection', () => running.uplink.state.connected);
    const startMs = performance.now();
    await put('can0', 20, 1000);
    await until('an empty buffer', isEmpty);
    assert.ok(performance.now() - startMs > 900);
  });

  it('sends a batch only when it is durable', async () => {
    const other = await tempFolder('uplink');
    const store = new FaultyStore(await openRocksDb({ path: other.path, purpose: 'buffer folder' }));
    const slow = await openBufferOn(store, bufferOptions(other.path));
    try {
      const held = Promise.withResolvers<void>();
      store.holdSync = held.promise;
      await using running = new RunningUplink(slow, cloud.url);
      await until('a connection', () => running.uplink.state.connected);
      await slow.put('can0', sealedBatch('x'));
      await until('the barrier under way', () => store.syncs > 1);
      await slow.put('can0', sealedBatch('y'));
      await roundTrips(running);
      assert.equal(cloud.arrivals.length, 0);
      held.resolve();
      await until('arrival', () => cloud.arrivals.length === 2);
    } finally {
      await slow[Symbol.asyncDispose]();
      await other[Symbol.asyncDispose]();
    }
  });

  it('reconnects after a cut and sends again what was on its way', async () => {
    cloud.dropAcks = true;
    await put('can0', 5);
    await using running = new RunningUplink(buffer, cloud.url);
    await until('arrival', () => cloud.arrivals.length === 5);
    cloud.dropAcks = false;
    cloud.cut();
    await until('an empty buffer', isEmpty);
    assert.deepEqual(cloud.sequences('can0'), [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
    assert.equal(running.uplink.state.counters.connects, 2);
  });

  it('waits for a cloud that is not there yet, saying so once', async () => {
    const { port } = cloud;
    await cloud[Symbol.asyncDispose]();
    await put('can0', 5);
    await using running = new RunningUplink(buffer, `mqtt://127.0.0.1:${port}`);
    await until('a complaint', () =>
      /can't be reached \(ECONNREFUSED\)/.test(running.uplink.state.trouble ?? ''),
    );
    cloud = await FakeCloud.start(port);
    await until('an empty buffer', isEmpty);
    assert.equal(running.messages.filter((m) => m.includes("can't be reached")).length, 1);
  });

  it('finds out that a connection is half-open, and makes a new one', async () => {
    await using proxy = await LinkProxy.start(cloud.port);
    await using running = new RunningUplink(buffer, proxy.url, { ackTimeoutMs: 200 });
    await put('can0', 1);
    await until('an empty buffer', isEmpty);
    proxy.freeze();
    await put('can0', 5);
    await until('the discovery', () =>
      running.uplink.state.trouble?.includes('nothing moves on the connection'),
    );
    proxy.thaw();
    await until('an empty buffer', isEmpty);
    assert.equal(cloud.heldOf('truck-1', buffer.epoch, 'can0').size, 6);
  });

  it('ends in time although nothing moves on the connection', async () => {
    await using proxy = await LinkProxy.start(cloud.port);
    const running = new RunningUplink(buffer, proxy.url, { window: { batches: 1000, bytes: 1e9 } });
    await until('a connection', () => running.uplink.state.connected);
    proxy.freeze();
    await put('can0', 40, 1_000_000);
    await until('a full pipe', () => running.uplink.state.inFlightBatches > 0);
    const started = performance.now();
    await running[Symbol.asyncDispose]();
    assert.ok(performance.now() - started < 3000);
  });

  it('drops a connection on which the cloud acknowledges nothing for long', async () => {
    cloud.dropAcks = true;
    await using running = new RunningUplink(buffer, cloud.url, { ackTimeoutMs: 100 });
    await put('can0', 1);
    await until('the end', () => running.uplink.state.trouble?.includes('the cloud acknowledges nothing'));
    cloud.dropAcks = false;
    await until('an empty buffer', isEmpty);
  });

  it("ignores acknowledgements for another life of the buffer, and what isn't one", async () => {
    cloud.dropAcks = true;
    await put('can0', 3);
    await using running = new RunningUplink(buffer, cloud.url);
    await until('arrival', () => cloud.arrivals.length === 3);
    const ack = topics.ack('truck-1');
    cloud.publish(ack, encodeMessage({ epoch: '0123456789abcdef', streams: { can0: { held: [0, 2] } } }));
    cloud.publish(ack, encodeMessage({ epoch: buffer.epoch, streams: { can0: { held: [2, 0] } } }));
    cloud.publish(ack, Buffer.from('nonsense'));
    const { state } = running.uplink;
    assert.equal(state.connected, true);
    await until('both noticed', () => {
      const { counters } = running.uplink.state;
      return counters.foreignAcknowledgements === 1 && counters.malformedAcknowledgements === 2;
    });
    assert.equal(buffer.streams()[0].batches, 3);
  });

  it('moves aside what the cloud refuses, and goes on', async () => {
    cloud.refuse = ({ sequence }) =>
      sequence === 1 ? { code: 'FLEETLOG_BATCH_VERSION', reason: 'too new' } : undefined;
    await put('can0', 4);
    await using running = new RunningUplink(buffer, cloud.url);
    await until('an empty buffer', isEmpty);
    assert.equal(buffer.streams()[0].refused, 1);
    assert.equal(running.uplink.state.counters.refusedBatches, 1);
    assert.ok(running.messages.some((m) => m.includes('too new')));
  });

  it('says what it holds when it connects, and goodbye at its end', async () => {
    await put('can0', 2);
    {
      await using _ = new RunningUplink(buffer, cloud.url);
      await until('an empty buffer', isEmpty);
      await until('a status', () => cloud.statuses.length > 0);
      assert.equal(cloud.statuses[0].connected, true);
      assert.equal(cloud.statuses[0].streams.can0.next, 2);
    }
    const last = cloud.statuses.at(-1);
    assert.equal(last?.connected, false);
    assert.equal(last?.epoch, buffer.epoch);
    assert.equal(last?.streams.can0.first, 2);
  });

  it('says goodbye although batches are on their way, so that no outdated last will follows', async () => {
    await using proxy = await TcpProxy.start(new Prng(1));
    proxy.brokerPort = cloud.port;
    proxy.rates.loseBatch = 1;
    {
      await using running = new RunningUplink(buffer, `mqtt://127.0.0.1:${proxy.port}`);
      await until('a status', () => cloud.statuses.length > 0);
      await put('can0', 3);
      await until('three batches sent', () => running.uplink.state.inFlightBatches === 3);
    }
    await until('the end of the connection', () => cloud.disconnects === 1);
    const last = cloud.statuses.at(-1);
    assert.equal(last?.connected, false);
    assert.equal(last?.streams.can0?.next, 3);
  });

  it('leaves a last will', async () => {
    await using _ = new RunningUplink(buffer, cloud.url);
    await until('a status', () => cloud.statuses.length > 0);
    cloud.cut();
    await until('the will', () => cloud.statuses.some((status) => !status.connected));
    assert.equal(cloud.unretainedStatuses, 0);
  });

  it('says in a sentence that its password is wrong, and gets in when it is right', async () => {
    cloud.password = 'secret';
    await put('can0', 1);
    await using running = new RunningUplink(buffer, cloud.url, { password: 'wrong' });
    await until('a complaint', () => running.uplink.state.trouble?.includes('refuses the gateway "truck-1"'));
    cloud.password = 'wrong';
    await until('an empty buffer', isEmpty);
  });

  it('says that another gateway with the same id is connected', async () => {
    await using one = new RunningUplink(buffer, cloud.url);
    await until('a connection', () => one.uplink.state.connected);
    await using two = new RunningUplink(buffer, cloud.url);
    await until(
      'a sentence',
      () =>
        [...one.messages, ...two.messages].some((m) => m.includes('another gateway with the id "truck-1"')),
      30_000,
    );
  });
});
