import assert from 'node:assert/strict';
import { request } from 'node:http';
import { decodeBatch, decodePlain } from '@fleetlog/shared/batch';
import { SequenceReader } from '#cloud/client/sequence-reader.js';
import { append, canBatch } from '../support/recorded.js';
import { serveCloud, type ServingCloud } from '../support/serving-cloud.js';
import { until } from '../support/until.js';

const gateway = 'truck-17';
const second = 1_500_000_000_000_000;
const fill = ({ log }: ServingCloud, count: number): Promise<unknown> =>
  append(
    log,
    Array.from({ length: count }, (_, sequence) =>
      canBatch([second + sequence * 1000], { gateway, sequence }),
    ),
  );

interface Said {
  event: string;
  partition: number;
  offset: number;
  refused?: number[];
}

/** A client as browsers and other languages have one. */
class Socket implements AsyncDisposable {
  readonly events: Said[] = [];
  readonly items: Uint8Array[] = [];
  closed: { code: number; reason: string } | undefined;
  isOpen = false;
  private readonly socket: WebSocket;

  constructor({ api }: ServingCloud, query: string) {
    this.socket = new WebSocket(`${api.url.replace('http', 'ws')}/v1/consume?group=g&from=earliest&${query}`);
    this.socket.binaryType = 'arraybuffer';
    const reader = new SequenceReader();
    this.socket.onopen = () => (this.isOpen = true);
    this.socket.onclose = ({ code, reason }) => (this.closed = { code, reason });
    this.socket.onmessage = ({ data }) => {
      if (typeof data !== 'string') this.items.push(...reader.take(new Uint8Array(data as ArrayBuffer)));
      else for (const line of data.trimEnd().split('\n')) this.events.push(JSON.parse(line) as Said);
    };
  }

  get batches(): Said[] {
    return this.events.filter(({ event }) => event === 'batch');
  }

  send(message: object | string): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.close();
    await until('it is closed', () => this.closed);
  }
}

describe('consuming by WebSocket', () => {
  it('gives what the stream gives, takes commits, and the next one goes on behind them', async () => {
    await using cloud = await serveCloud();
    await fill(cloud, 10);
    let partition: number;
    {
      await using socket = new Socket(cloud, '');
      await until('all has come', () => socket.batches.length === 10);
      assert.deepEqual(
        socket.batches.map(({ offset }) => offset),
        Array.from({ length: 10 }, (_, offset) => offset),
      );
      ({ partition } = socket.batches[0]);
      socket.send({ commit: { [partition]: 7 } });
      const { refused } = await until('it is durable', () =>
        socket.events.find(({ event }) => event === 'committed'),
      );
      assert.deepEqual(refused, []);
      assert.equal(cloud.groups.state('g').partitions[partition].next, 7);
      await fill(cloud, 1);
      await until('the new one comes', () => socket.batches.length === 11);
    }
    await until('the member has left', () => cloud.groups.state('g').members === 0);
    await using next = new Socket(cloud, 'format=cbor&untilEnd=true');
    await until('it ends', () => next.closed);
    const batches = next.items
      .map((item) => decodePlain(item, { depthMax: 1, itemsMax: 64 }) as Map<string, unknown>)
      .filter((fields) => fields.get('event') === 'batch');
    assert.deepEqual(
      batches.map((fields) => fields.get('offset')),
      [7, 8, 9, 10],
    );
    assert.equal(decodeBatch(batches[0].get('bytes') as Uint8Array).header.sequence, 7);
  });

  it('sends no more batches than the client has given credit for', async () => {
    await using cloud = await serveCloud();
    await fill(cloud, 30);
    await using socket = new Socket(cloud, 'credit=3');
    await until('what was granted has come', () => socket.batches.length === 3);
    for (const credit of [1, 5]) {
      const before = socket.batches.length;
      socket.send({ credit });
      await until('more comes', () => socket.batches.length === before + credit);
      socket.send({ commit: {} }); // answered behind whatever was sent before
      const answers = socket.events.filter(({ event }) => event === 'committed').length;
      await until(
        'it has answered',
        () => socket.events.filter(({ event }) => event === 'committed').length > answers,
      );
      assert.equal(socket.batches.length, before + credit);
    }
    socket.send({ credit: 1000 });
    await until('all has come', () => socket.batches.length === 30);
  });

  it('ends with a reason where the client says something else, and refuses pages of other sites', async () => {
    await using cloud = await serveCloud();
    await using socket = new Socket(cloud, '');
    await until('it is open', () => socket.isOpen);
    socket.send('{"commit": 1}');
    const { code, reason } = await until('it is closed', () => socket.closed);
    assert.equal(code, 1008);
    assert.match(reason, /^Send /);
    await until('its member has left', () => cloud.groups.state('g').members === 0);
    const upgrade = (path: string, headers: Record<string, string>): Promise<[number | undefined, string]> =>
      new Promise((resolve, reject) => {
        const asked = request(`${cloud.api.url}${path}`, {
          headers: {
            connection: 'Upgrade',
            upgrade: 'websocket',
            'sec-websocket-version': '13',
            'sec-websocket-key': Buffer.alloc(16).toString('base64'),
            ...headers,
          },
        });
        asked.on('response', (response) => {
          let body = '';
          response.on('data', (chunk: Buffer) => (body += chunk.toString()));
          response.on('end', () => resolve([response.statusCode, body]));
        });
        asked.on('upgrade', (response, connection) => {
          connection.destroy();
          resolve([response.statusCode, '']);
        });
        asked.on('error', reject).end();
      });
    const [status, body] = await upgrade('/v1/consume?group=g', { origin: 'http://elsewhere.example' });
    assert.equal(status, 400);
    assert.match(body, /another site/);
    assert.equal((await upgrade('/v1/consume?group=g', { origin: cloud.api.url }))[0], 101);
    assert.equal((await upgrade('/v1/consume?group=G/1', {}))[0], 400);
    assert.equal((await upgrade('/v1/status', {}))[0], 200, 'what has no WebSocket answers as ever');
    assert.equal((await upgrade('/v1/status', { upgrade: 'h2c' }))[0], 200);
    assert.equal((await fetch(`${cloud.api.url}/v1/consume?group=g&credit=1`)).status, 400);
  });
});
