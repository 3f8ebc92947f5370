import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { generate, parser, type IPublishPacket, type Packet } from 'mqtt-packet';
import { Prng } from '#sim/vehicle/prng.js';
import { MqttFaults, type MqttFaultRates } from '../support/chaos/mqtt-faults.js';
import { TcpProxy } from '../support/chaos/tcp-proxy.js';

/** Faults that don't happen would make every soak green. */
describe('the bad network of the chaos rounds', () => {
  const batch = (messageId: number): IPublishPacket => ({
    cmd: 'publish',
    topic: 'fleetlog/v1/g/up/can0',
    payload: Buffer.from(`batch ${messageId}`),
    qos: 1,
    messageId,
    dup: false,
    retain: false,
  });
  const ack: IPublishPacket = { ...batch(0), topic: 'fleetlog/v1/g/ack', qos: 0 };

  function network(rates: Partial<MqttFaultRates>) {
    const toBroker: IPublishPacket[] = [];
    const toGateway: Packet[] = [];
    const collect = (packets: Packet[]) => {
      const parse = parser({ protocolVersion: 4 });
      parse.on('packet', (packet) => packets.push(packet));
      return (bytes: Uint8Array): void => void parse.parse(Buffer.from(bytes));
    };
    const counts = { acksDropped: 0, batchesLost: 0, duplicated: 0, reordered: 0 };
    const faults = new MqttFaults(
      { dropAck: 0, loseBatch: 0, duplicate: 0, reorder: 0, ...rates },
      counts,
      new Prng(1),
      collect(toBroker),
      collect(toGateway),
    );
    return { faults, counts, toBroker, toGateway };
  }

  it('passes everything on as it is when nothing goes wrong', () => {
    const { faults, toBroker, toGateway } = network({});
    for (let id = 1; id <= 50; id++) faults.gatewaySays(generate(batch(id)));
    for (let id = 1; id <= 50; id++) faults.brokerSays(generate({ cmd: 'puback', messageId: id }));
    faults.brokerSays(generate(ack));
    assert.deepEqual(
      toBroker.map(({ messageId, payload }) => [messageId, payload.toString()]),
      Array.from({ length: 50 }, (_, i) => [i + 1, `batch ${i + 1}`]),
    );
    assert.equal(toGateway.length, 51);
  });

  it('loses acknowledgements of the log, and no others', () => {
    const { faults, counts, toGateway } = network({ dropAck: 1 });
    faults.gatewaySays(generate(batch(7)));
    faults.brokerSays(generate(ack));
    faults.brokerSays(generate({ cmd: 'puback', messageId: 7 }));
    assert.deepEqual(
      toGateway.map(({ cmd }) => cmd),
      ['puback'],
    );
    assert.equal(counts.acksDropped, 1);
  });

  it('brings batches twice, and keeps the confirmation of the second to itself', async () => {
    const { faults, counts, toBroker, toGateway } = network({ duplicate: 1 });
    for (let id = 1; id <= 40; id++) faults.gatewaySays(generate(batch(id)));
    while (toBroker.length < 80) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(counts.duplicated, 40);
    const texts = toBroker.map(({ payload }) => payload.toString());
    for (let id = 1; id <= 40; id++) assert.equal(texts.filter((text) => text === `batch ${id}`).length, 2);
    for (const { messageId } of toBroker)
      faults.brokerSays(generate({ cmd: 'puback', messageId: messageId ?? 0 }));
    const confirmed = toGateway.map(({ messageId }) => messageId ?? 0).sort((a, b) => a - b);
    assert.deepEqual(
      confirmed,
      Array.from({ length: 40 }, (_, i) => i + 1),
    );
  });

  it('lets batches overtake each other, and loses none', async () => {
    const { faults, toBroker } = network({ reorder: 0.5 });
    for (let id = 1; id <= 60; id++) faults.gatewaySays(generate(batch(id)));
    while (toBroker.length < 60) await new Promise((resolve) => setTimeout(resolve, 5));
    const ids = toBroker.map(({ messageId }) => messageId ?? 0);
    assert.equal(new Set(ids).size, 60);
    assert.notDeepEqual(
      ids,
      [...ids].sort((a, b) => a - b),
    );
  });

  describe('at the level of connections', () => {
    let proxy: TcpProxy;
    let broker: Socket;
    let gateway: Socket;
    const server = createServer();

    beforeEach(async () => {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      proxy = await TcpProxy.start(new Prng(1));
      proxy.brokerPort = (server.address() as AddressInfo).port;
      const accepted = once(server, 'connection') as Promise<[Socket]>;
      gateway = connect(proxy.port, '127.0.0.1');
      [broker] = await accepted;
      for (const socket of [broker, gateway]) socket.on('error', () => undefined);
    });
    afterEach(async () => {
      await proxy[Symbol.asyncDispose]();
      await new Promise((resolve) => server.close(resolve));
    });

    it('cuts both sides', async () => {
      const closed = Promise.all([once(broker.resume(), 'close'), once(gateway.resume(), 'close')]);
      proxy.cut();
      await closed;
      assert.equal(proxy.connectionCount, 0);
    });

    it('resets both sides', async () => {
      const errors = Promise.all([once(broker.resume(), 'error'), once(gateway.resume(), 'error')]);
      proxy.reset();
      for (const [error] of (await errors) as unknown as [NodeJS.ErrnoException][])
        assert.equal(error.code, 'ECONNRESET');
    });

    it('tears a message in the middle', async () => {
      const bytes = generate({ ...batch(1), payload: Buffer.alloc(1000) });
      let received = 0;
      broker.on('data', (chunk: Buffer) => (received += chunk.length));
      const closed = Promise.all([once(broker, 'close'), once(gateway.resume(), 'close')]);
      proxy.tear();
      gateway.write(bytes);
      await closed;
      assert.ok(received > 0 && received < bytes.length, `${received} of ${bytes.length} bytes`);
    });

    it('lets nothing through while half-open, and everything in order after it', async () => {
      const received: Buffer[] = [];
      broker.on('data', (chunk: Buffer) => received.push(chunk));
      proxy.halfOpen(true);
      const sent = Buffer.concat([generate(batch(1)), generate(batch(2))]);
      gateway.write(sent);
      await new Promise((resolve) => setTimeout(resolve, 100)); // nothing is what must come in this time
      assert.equal(received.length, 0);
      assert.equal(gateway.destroyed || broker.destroyed, false);
      proxy.halfOpen(false);
      while (Buffer.concat(received).length < sent.length) await once(broker, 'data');
      assert.ok(Buffer.concat(received).equals(sent));
    });
  });
});
