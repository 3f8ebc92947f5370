import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { TownLink, TUNNEL } from '#sim/demo/town.js';
import { LinkProxy } from '#sim/fleet/link-proxy.js';
import { until } from '../support/until.js';

describe("a simulated vehicle's network", () => {
  /** An echo behind a link, and a client before it that keeps what comes back. */
  async function linked(body: (link: LinkProxy, client: Socket, heard: () => string) => Promise<void>) {
    const server = createServer((socket) => socket.on('error', () => undefined).pipe(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    await using link = await LinkProxy.start((server.address() as AddressInfo).port);
    const client = connect(Number(new URL(link.url).port), '127.0.0.1');
    client.on('error', () => undefined);
    let text = '';
    client.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await once(client, 'connect');
    try {
      await body(link, client, () => text);
    } finally {
      client.destroy();
      server.close();
    }
  }

  it('by satellite takes its time both ways, and keeps the order when it gets fast again', () =>
    linked(async (link, client, heard) => {
      client.write('a');
      await until('the echo', () => heard() === 'a');
      link.delayMs = 300;
      const beganMs = performance.now();
      client.write('b');
      await until('the echo', () => heard() === 'ab');
      assert.ok(performance.now() - beganMs >= 590, 'there and back');
      client.write('c');
      await until('it is under way', () => client.bytesWritten === 3);
      link.delayMs = 0;
      client.write('d');
      await until('both echoes', () => heard().length === 4);
      assert.equal(heard(), 'abcd');
    }));

  it('that is metered lets so many bytes through, nothing more, and all again afterwards on new connections', () =>
    linked(async (link, client, heard) => {
      link.allow(8);
      for (const [text, all] of [
        ['ab', 'ab'],
        ['cd', 'abcd'],
      ]) {
        client.write(text);
        await until('the echo', () => heard() === all);
      }
      assert.ok(link.isSilent, 'the budget is spent');
      client.write('ef');
      const closed = new Promise((resolve) => client.once('close', resolve));
      link.thaw();
      await closed;
      assert.equal(link.isSilent, false);
      assert.ok(!heard().includes('e'));
      const again = connect(Number(new URL(link.url).port), '127.0.0.1');
      again.write('x'.repeat(100));
      await once(again, 'data');
      again.destroy();
    }));

  it('is lost in the tunnel of the demo, and cut and there again behind it', async () => {
    const server = createServer((socket) => socket.on('error', () => undefined).pipe(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await using link = await TownLink.open(port, { kind: 'truck', seed: 17 });
    const clients: Socket[] = [];
    const hears = async (): Promise<{ client: Socket; heard: () => string }> => {
      const client = connect(Number(new URL(link.url).port), '127.0.0.1').on('error', () => undefined);
      clients.push(client);
      let text = '';
      client.on('data', (chunk: Buffer) => (text += chunk.toString()));
      client.write('a');
      await until('the echo', () => text === 'a');
      return { client, heard: () => text };
    };
    try {
      const { client, heard } = await hears();
      const closed = new Promise((resolve) => client.once('close', resolve));
      let s = 0;
      while (!link.advanceTo(s * 1e6)!.isInTunnel) s++;
      assert.ok(link.advanceTo(s * 1e6)!.m >= TUNNEL.fromM);
      client.write('b');
      await until('it is on its way', () => client.bytesWritten === 2);
      while (link.advanceTo(s * 1e6)!.isInTunnel) s++;
      assert.ok(link.advanceTo(s * 1e6)!.m >= TUNNEL.toM);
      await closed;
      assert.equal(heard(), 'a');
      await hears();
    } finally {
      for (const client of clients) client.destroy();
      server.close();
    }
  });

  it('has no tunnel in the demo for a vehicle without a road', async () => {
    await using link = await TownLink.open(9, { kind: 'generic', seed: 8 });
    assert.equal(link.advanceTo(1e9), undefined);
  });
});
