import assert from 'node:assert/strict';
import { silentLogger } from '@fleetlog/shared/log';
import { encodeMessage, topics, type GatewayStatus } from '@fleetlog/shared/topics';
import { Signal } from '@fleetlog/shared/util';
import { isFleetlogError } from '@fleetlog/shared/errors';
import { Broker, type BrokerOptions, type MessageSink } from '#cloud/broker/broker.js';
import { MqttSocket } from '../support/mqtt-socket.js';
import { until } from '../support/until.js';

const status: GatewayStatus = {
  connected: true,
  epoch: '0011223344556677',
  version: '1.0',
  timeUs: 1,
  streams: {},
};

/** Keeps what the broker hands over. */
class Sink implements MessageSink {
  takes = true;
  readonly readable = new Signal();
  readonly batches: { gateway: string; stream: string; bytes: number }[] = [];
  readonly statuses: { gateway: string; message: Uint8Array }[] = [];
  readonly refused: string[] = [];
  makesSense = true;

  batch(gateway: string, stream: string, bytes: Uint8Array): void {
    this.batches.push({ gateway, stream, bytes: bytes.length });
  }

  status(gateway: string, message: Uint8Array): boolean {
    this.statuses.push({ gateway, message });
    return this.makesSense;
  }

  refuse(code: string): void {
    this.refused.push(code);
  }
}

describe('broker', () => {
  let sink: Sink;
  let broker: Broker;
  let port: number;

  const start = async (changes: Partial<BrokerOptions> = {}): Promise<void> => {
    sink = new Sink();
    const options: BrokerOptions = {
      host: '127.0.0.1',
      port: 0,
      users: undefined,
      connectionsMax: 100,
      packetBytesMax: 5 * 1024 * 1024,
      keepAliveSecondsMax: 600,
      connectTimeoutMs: 10_000,
      tls: undefined,
      ...changes,
    };
    broker = await Broker.start(options, sink, silentLogger);
    port = broker.address.port;
  };
  const restart = async (changes: Partial<BrokerOptions>): Promise<void> => {
    await broker[Symbol.asyncDispose]();
    await start(changes);
  };

  beforeEach(() => start());
  afterEach(() => broker[Symbol.asyncDispose]());

  it('hands over what a gateway publishes below its prefix, and confirms it', async () => {
    await using client = await MqttSocket.open(port);
    assert.equal(await client.login('truck-17'), 0);
    const ids = [
      client.publish(topics.up('truck-17', 'can0'), Buffer.alloc(5000)),
      client.publish(topics.status('truck-17'), encodeMessage(status), { retain: true }),
      client.publish(topics.up('truck-17', 'gps'), Buffer.alloc(1)),
    ];
    await until('all are confirmed', () => ids.every((id) => client.isConfirmed(id)));
    assert.deepEqual(sink.batches, [
      { gateway: 'truck-17', stream: 'can0', bytes: 5000 },
      { gateway: 'truck-17', stream: 'gps', bytes: 1 },
    ]);
    assert.equal(sink.statuses.length, 1);
    assert.deepEqual(sink.refused, []);
  });

  it('routes batches to no client, not even to their sender', async () => {
    await using client = await MqttSocket.open(port);
    await client.login('truck-17');
    assert.equal(await client.subscribe(`${topics.prefix('truck-17')}#`), 0);
    client.publish(topics.up('truck-17', 'can0'), Buffer.from('batch'), { retain: true });
    broker.acknowledge('truck-17', { epoch: status.epoch, streams: {} });
    await until('the acknowledgement came', () => client.acks('truck-17').length === 1);
    assert.deepEqual(client.published(topics.up('truck-17', 'can0')), []);
    await client.subscribe(topics.up('truck-17', 'can0'));
    broker.acknowledge('truck-17', { epoch: status.epoch, streams: {} });
    await until('the second came', () => client.acks('truck-17').length === 2);
    assert.deepEqual(client.published(topics.up('truck-17', 'can0')), [], 'nothing is retained');
  });

  it('acknowledges to the gateway that it is for, and to no other', async () => {
    await using a = await MqttSocket.open(port);
    await using b = await MqttSocket.open(port);
    await a.login('truck-a');
    await b.login('truck-b');
    await a.subscribe(topics.ack('truck-a'));
    await b.subscribe(topics.ack('truck-b'));
    const ack = { epoch: status.epoch, streams: { can0: { held: [0, 5] } } };
    broker.acknowledge('truck-b', ack);
    await until('it came', () => b.acks('truck-b').length === 1);
    assert.deepEqual(b.acks('truck-b'), [ack]);
    assert.deepEqual(
      a.received.filter(({ cmd }) => cmd === 'publish'),
      [],
    );
  });

  describe('drops, confirms and counts a publish', () => {
    for (const [title, topic, code] of [
      ["below another gateway's prefix", topics.up('truck-18', 'can0'), 'FLEETLOG_FOREIGN_GATEWAY'],
      ["of another gateway's status", topics.status('truck-18'), 'FLEETLOG_FOREIGN_GATEWAY'],
      ['of its own acknowledgement', topics.ack('truck-17'), 'FLEETLOG_TOPIC'],
      ['below its prefix, of nothing known', `${topics.prefix('truck-17')}down/config`, 'FLEETLOG_TOPIC'],
      ['with a stream that is no name', `${topics.prefix('truck-17')}up/A B`, 'FLEETLOG_TOPIC'],
      ['of another version', 'fleetlog/v2/truck-17/up/can0', 'FLEETLOG_TOPIC'],
      ["to the broker's own topics", '$SYS/x', 'FLEETLOG_TOPIC'],
      ['somewhere', 'hello', 'FLEETLOG_TOPIC'],
    ]) {
      it(title, async () => {
        await using client = await MqttSocket.open(port);
        await client.login('truck-17');
        await client.subscribe(`${topics.prefix('truck-17')}#`);
        const id = client.publish(topic, Buffer.from('x'), { retain: true });
        await until('it is confirmed', () => client.isConfirmed(id));
        assert.deepEqual(sink.refused, [code]);
        assert.deepEqual([sink.batches, sink.statuses], [[], []]);
        assert.equal(client.isClosed, false);
        assert.deepEqual(client.published(topic), []);
      });
    }
  });

  it('grants subscriptions below the own prefix only', async () => {
    await using client = await MqttSocket.open(port);
    await client.login('truck-1');
    for (const topic of [
      '#',
      'fleetlog/#',
      topics.allUp,
      topics.ack('truck-17'),
      '+/v1/truck-1/ack',
      '$SYS/#',
    ]) {
      assert.equal(await client.subscribe(topic), 128, topic);
    }
    assert.equal(await client.subscribe(topics.ack('truck-1')), 0);
    assert.deepEqual(new Set(sink.refused), new Set(['FLEETLOG_TOPIC']));
    assert.equal(sink.refused.length, 6);
  });

  it('keeps the last status for whoever subscribes, unless it makes no sense', async () => {
    await using client = await MqttSocket.open(port);
    await client.login('truck-17');
    const message = encodeMessage(status);
    client.publish(topics.status('truck-17'), message, { retain: true });
    await until('it came', () => sink.statuses.length === 1);
    sink.makesSense = false;
    const id = client.publish(topics.status('truck-17'), Buffer.from('nonsense'), { retain: true });
    await until('it is confirmed', () => client.isConfirmed(id));
    await client.subscribe(topics.status('truck-17'));
    await until('it comes', () => client.published(topics.status('truck-17')).length > 0);
    assert.deepEqual(client.published(topics.status('truck-17')), [Buffer.from(message)]);
  });

  it('tells each connection of a gateway that asked for it what the log holds, by whatever pattern, and no other', async () => {
    const ack = { epoch: status.epoch, streams: { can0: { held: [0, 7] } } };
    const message = Buffer.from(encodeMessage(status));
    await using publisher = await MqttSocket.open(port);
    await publisher.login('truck-1');
    publisher.publish(topics.status('truck-1'), message, { retain: true });
    await until('the status came', () => sink.statuses.length === 1);
    const patterns = ['ack', '#', '+', 'ack/#'].map((end) => topics.prefix('truck-1') + end);
    const clients = await Promise.all(
      [...patterns, undefined, topics.ack('truck-2')].map(() => MqttSocket.open(port)),
    );
    for (const [i, client] of clients.entries()) {
      await client.login(i === 5 ? 'truck-2' : 'truck-1', { clientId: `c${i}` });
      const pattern = patterns[i] ?? (i === 5 ? topics.ack('truck-2') : undefined);
      if (pattern !== undefined) await client.subscribe(pattern);
    }
    broker.acknowledge('truck-1', ack);
    broker.acknowledge('truck-2', { ...ack, streams: {} });
    await until('the other gateway heard', () => clients[5].acks('truck-2').length === 1);
    for (const client of clients.slice(0, 4)) {
      await until('it heard', () => client.acks('truck-1').length === 1);
      assert.deepEqual(client.acks('truck-1'), [ack]);
    }
    assert.deepEqual(clients[4].acks('truck-1'), [], 'it asked for nothing');
    assert.deepEqual(clients[5].acks('truck-1'), []);
    for (const i of [1, 2]) {
      await until('what is retained comes', () => clients[i].published(topics.status('truck-1')).length > 0);
      assert.deepEqual(clients[i].published(topics.status('truck-1')), [message], patterns[i]);
    }
    assert.deepEqual(clients[0].published(topics.status('truck-1')), []);

    clients[1].send({ cmd: 'unsubscribe', messageId: 9, unsubscriptions: [patterns[1]] });
    await clients[2][Symbol.asyncDispose]();
    await clients[1].subscribe(topics.status('truck-1')); // its answer comes behind the other one
    broker.acknowledge('truck-1', ack);
    await until('the first heard again', () => clients[0].acks('truck-1').length === 2);
    assert.equal(clients[1].acks('truck-1').length, 1);
    for (const client of clients) await client[Symbol.asyncDispose]();
  });

  it('confirms a batch in one write with the acknowledgement, and also where none follows', async () => {
    await using client = await MqttSocket.open(port);
    await client.login('truck-17');
    await client.subscribe(topics.ack('truck-17'));
    const chunks: number[] = [];
    client.socket.on('data', (chunk: Buffer) => chunks.push(chunk.length));
    const first = client.publish(topics.up('truck-17', 'can0'), Buffer.from('batch'));
    await until('it came', () => sink.batches.length === 1);
    broker.acknowledge('truck-17', { epoch: status.epoch, streams: { can0: { held: [0, 0] } } });
    await until('both came', () => client.isConfirmed(first) && client.acks('truck-17').length === 1);
    assert.equal(chunks.length, 1);
    const second = client.publish(topics.up('truck-17', 'can0'), Buffer.from('batch'));
    await until('it is confirmed', () => client.isConfirmed(second));
  });

  it('hands over the last will of a gateway that is cut off', async () => {
    await using client = await MqttSocket.open(port);
    const will = {
      topic: topics.status('truck-17'),
      payload: Buffer.from('farewell'),
      qos: 1 as const,
      retain: true,
    };
    await client.login('truck-17', { will });
    client.socket.resetAndDestroy();
    await until('it came', () => sink.statuses.length === 1);
    assert.equal(String(sink.statuses[0].message), 'farewell');
    assert.equal(sink.statuses[0].gateway, 'truck-17');
  });

  it("drops a last will on another gateway's topic", async () => {
    await using client = await MqttSocket.open(port);
    const will = {
      topic: topics.status('truck-18'),
      payload: Buffer.from('x'),
      qos: 1 as const,
      retain: true,
    };
    await client.login('truck-17', { will });
    client.socket.resetAndDestroy();
    await until('it is refused', () => sink.refused.length === 1);
    assert.deepEqual(sink.refused, ['FLEETLOG_FOREIGN_GATEWAY']);
    assert.deepEqual(sink.statuses, []);
  });

  describe('login', () => {
    const users = { 'truck-17': { password: 'sesame' }, 'truck-18': { password: 'open' } };
    const login = async (username: string | undefined, password?: string): Promise<number | undefined> => {
      await using client = await MqttSocket.open(port);
      return await client.login(username, password === undefined ? {} : { password: Buffer.from(password) });
    };

    it('takes any gateway id where no users are configured', async () => {
      assert.equal(await login('truck-99'), 0);
      assert.equal(await login('truck-99', 'whatever'), 0);
      for (const name of ['', 'Truck', 'a/b', '+', 'a'.repeat(64), '__proto__']) {
        assert.equal(await login(name), 4, JSON.stringify(name));
      }
      assert.equal(await login(undefined), 4);
      assert.equal(sink.refused.filter((code) => code === 'FLEETLOG_LOGIN').length, 7);
    });

    it('takes configured users with their passwords only', async () => {
      await restart({ users });
      assert.equal(await login('truck-17', 'sesame'), 0);
      assert.equal(await login('truck-18', 'open'), 0);
      for (const [name, password] of [
        ['truck-17', 'open'],
        ['truck-17', ''],
        ['truck-17', 'sesame2'],
        ['truck-19', 'sesame'],
        ['truck-19', ''],
        ['constructor', ''],
      ]) {
        assert.equal(await login(name, password), 4, `${name} ${password}`);
      }
      assert.equal(await login('truck-17'), 4);
    });

    it("takes over a gateway's connection, and never another gateway's with the same client id", async () => {
      await using first = await MqttSocket.open(port);
      await using other = await MqttSocket.open(port);
      await using second = await MqttSocket.open(port);
      await first.login('truck-17', { clientId: 'gw' });
      await other.login('truck-18', { clientId: 'gw' });
      assert.equal(first.isClosed, false);
      await second.login('truck-17', { clientId: 'gw' });
      await until('the first is ended', () => first.isClosed);
      assert.equal(other.isClosed, false);
    });
  });

  describe('keeps to its limits', () => {
    it('ends a connection at the header of a packet that is too large, before its bytes', async () => {
      await restart({ packetBytesMax: 100_000 });
      await using client = await MqttSocket.open(port);
      await client.login('truck-17');
      const id = client.publish(topics.up('truck-17', 'can0'), Buffer.alloc(99_000));
      await until('one below the limit is taken', () => client.isConfirmed(id));
      client.socket.write(Buffer.of(0x32, 0x80, 0x80, 0x80, 0x20)); // 64 MiB to come
      await until('it is ended', () => client.isClosed);
      assert.deepEqual(sink.refused, ['FLEETLOG_BATCH_LIMIT']);
      assert.equal(sink.batches.length, 1);
    });

    it('finds the header wherever the chunks are cut', async () => {
      await restart({ packetBytesMax: 2000 });
      await using client = await MqttSocket.open(port);
      await client.login('truck-17');
      const write = (bytes: Buffer): Promise<void> =>
        new Promise((resolve) => client.socket.write(bytes, () => setImmediate(resolve)));
      const topic = topics.up('truck-17', 'can0');
      for (let size = 1; size < 200; size += 37) {
        const packet = Buffer.concat([
          Buffer.of(
            0x30,
            0x80 | ((size + 2 + topic.length) & 0x7f),
            (size + 2 + topic.length) >> 7,
            0,
            topic.length,
          ),
          Buffer.from(topic),
          Buffer.alloc(size),
        ]);
        for (const byte of packet) await write(Buffer.of(byte));
      }
      await until('all came', () => sink.batches.length === 6);
      assert.deepEqual(
        sink.batches.map(({ bytes }) => bytes),
        [1, 38, 75, 112, 149, 186],
      );
      for (const byte of [0x32, 0xd1, 0x0f]) await write(Buffer.of(byte)); // 2001 bytes to come
      await until('it is ended', () => client.isClosed);
    });

    it('takes little from whoever has not logged in', async () => {
      await using client = await MqttSocket.open(port);
      client.socket.write(Buffer.of(0x10, 0x80, 0x80, 0x40)); // a CONNECT of 1 MiB
      await until('it is ended', () => client.isClosed);
      assert.deepEqual(sink.refused, ['FLEETLOG_BATCH_LIMIT']);
    });

    it('ends a length that never ends, other protocols and silence', async () => {
      await restart({ connectTimeoutMs: 200 });
      for (const bytes of [
        Buffer.of(0x10, 0xff, 0xff, 0xff, 0xff),
        Buffer.from('GET / HTTP/1.1\r\n\r\n'),
        Buffer.alloc(0),
      ]) {
        await using client = await MqttSocket.open(port);
        client.socket.write(bytes);
        await until('it is ended', () => client.isClosed);
      }
    });

    it('ends a connection that is silent for one and a half keep-alives, also where none was asked for', async () => {
      await restart({ keepAliveSecondsMax: 1 });
      await using client = await MqttSocket.open(port);
      await client.login('truck-17', { keepalive: 0 });
      await until('it is ended', () => client.isClosed);
    });

    it('accepts so many connections and no more', async () => {
      await restart({ connectionsMax: 3 });
      const clients = await Promise.all([1, 2, 3].map(() => MqttSocket.open(port)));
      for (const [i, client] of clients.entries()) assert.equal(await client.login(`truck-${i}`), 0);
      await using fourth = await MqttSocket.open(port);
      await until('it is ended', () => fourth.isClosed);
      assert.deepEqual(sink.refused, ['FLEETLOG_CONNECTIONS']);
      await clients[0][Symbol.asyncDispose]();
      await until('there is room', () => broker.connections === 2);
      await using fifth = await MqttSocket.open(port);
      assert.equal(await fifth.login('truck-5'), 0);
      for (const client of clients) await client[Symbol.asyncDispose]();
    });

    it('reads nothing while there is no room, and goes on when there is', async () => {
      await using client = await MqttSocket.open(port);
      await client.login('truck-17');
      const topic = topics.up('truck-17', 'can0');
      client.publish(topic, Buffer.alloc(100));
      await until('it came', () => sink.batches.length === 1);
      sink.takes = false;
      // Far more than the buffers of both ends of the connection hold.
      const count = 64;
      for (let i = 0; i < count; i++) client.publish(topic, Buffer.alloc(1024 * 1024));
      let before = -1;
      await until('nothing moves any more', async () => {
        const unsent = client.socket.writableLength;
        if (unsent === before) return true;
        before = unsent;
        await new Promise((resolve) => setTimeout(resolve, 100));
        return false;
      });
      assert.ok(
        client.socket.writableLength > 32 * 1024 * 1024,
        `${client.socket.writableLength} bytes wait`,
      );
      assert.ok(sink.batches.length <= 2);
      sink.takes = true;
      sink.readable.set();
      await until('all came', () => sink.batches.length === 1 + count);
      assert.equal(client.isClosed, false);
    });

    it('leaves out acknowledgements for a gateway that reads none, and serves the others', async () => {
      await using deaf = await MqttSocket.open(port);
      await using other = await MqttSocket.open(port);
      await deaf.login('truck-17');
      await deaf.subscribe(topics.ack('truck-17'));
      await other.login('truck-18');
      await other.subscribe(topics.ack('truck-18'));
      deaf.socket.pause();
      const held = Array.from({ length: 512 }, (_, i) => 1_000_000 + 2 * i);
      for (let i = 0; i < 20_000; i++) {
        broker.acknowledge('truck-17', { epoch: status.epoch, streams: { can0: { held } } });
        if (i % 200 === 0) await new Promise(setImmediate);
      }
      broker.acknowledge('truck-18', { epoch: status.epoch, streams: {} });
      await until('the other has its', () => other.acks('truck-18').length === 1);
      deaf.socket.resume();
      broker.acknowledge('truck-17', { epoch: status.epoch, streams: { last: { held: [1, 2] } } });
      await until('it reads again', () => deaf.acks('truck-17').length > 0);
      assert.ok(deaf.acks('truck-17').length < 20_000);
    });
  });

  it('stopping sends what is to be sent, and ends all connections', async () => {
    await using client = await MqttSocket.open(port);
    await client.login('truck-17');
    await client.subscribe(topics.ack('truck-17'));
    for (let i = 0; i < 50; i++) broker.acknowledge('truck-17', { epoch: status.epoch, streams: {} });
    await broker[Symbol.asyncDispose]();
    await until('it is ended', () => client.isClosed);
    assert.equal(client.acks('truck-17').length, 50);
    await assert.rejects(async () => {
      await using late = await MqttSocket.open(port);
      await until('it is refused', () => late.isClosed);
      throw new Error('refused');
    });
  });

  it('a port that is taken is said with the flag that chooses another', async () => {
    const options = { host: '127.0.0.1', port, users: undefined, connectionsMax: 1 };
    const more = { packetBytesMax: 1e6, keepAliveSecondsMax: 60, connectTimeoutMs: 1000, tls: undefined };
    await assert.rejects(Broker.start({ ...options, ...more }, sink, silentLogger), (error) => {
      assert.ok(isFleetlogError(error, 'FLEETLOG_PORT_TAKEN'));
      assert.match(error.message, new RegExp(`${port}.*--mqtt`));
      return true;
    });
  });
});
