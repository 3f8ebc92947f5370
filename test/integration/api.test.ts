import assert from 'node:assert/strict';
import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { isFleetlogError } from '@fleetlog/shared/errors';
import { silentLogger } from '@fleetlog/shared/log';
import { RangeSet, systemClock } from '@fleetlog/shared/util';
import type { Gaps, Gateways, Status, Streams } from '#cloud/api/schemas.js';
import { startApi } from '#cloud/api/server.js';
import type { LogEntry } from '#cloud/log/log.js';
import { keeping } from '../support/keeping.js';
import { MemoryLog } from '../support/memory-log.js';
import { append, canBatch, eventBatch, gapBatch, lineBatch } from '../support/recorded.js';
import { serveCloud, type ServingCloud } from '../support/serving-cloud.js';
import { until } from '../support/until.js';
import { noImports } from '../support/no-imports.js';

const epoch = '0011223344556677';
const gateway = 'truck-17';
const baseUs = 1_500_000_000_000_000;

async function get(
  { api }: ServingCloud,
  path: string,
): Promise<{ status: number; body: string; type: string }> {
  const response = await fetch(`${api.url}${path}`);
  return {
    status: response.status,
    body: await response.text(),
    type: response.headers.get('content-type') ?? '',
  };
}

// oxlint-disable-next-line typescript/no-explicit-any -- the test asserts the shape
const json = async <T>(cloud: ServingCloud, path: string): Promise<T> =>
  JSON.parse((await get(cloud, path)).body) as T;

/** The head of an answer whose body nobody reads yet. */
function head({ api }: ServingCloud, path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    http.get(`${api.url}${path}`, { agent: false }, resolve).on('error', reject);
  });
}

const frameBatches = (count: number, framesEach: number): Uint8Array[] =>
  Array.from({ length: count }, (_, sequence) =>
    canBatch(
      Array.from({ length: framesEach }, (__, i) => baseUs + sequence * 1_000_000 + i),
      { gateway, epoch, sequence },
      sequence,
    ),
  );

const exportPath = `/v1/export?gateway=${gateway}&stream=can0&format=candump`;

describe('HTTP API', () => {
  it('shows at once what was appended: an acknowledged batch is in the next answer', async () => {
    await using cloud = await serveCloud();
    for (const [sequence, bytes] of frameBatches(20, 10).entries()) {
      await append(cloud.log, [bytes]);
      const { streams } = await json<Streams>(cloud, '/v1/streams');
      assert.equal(streams[0].batches, sequence + 1);
      assert.equal((await get(cloud, exportPath)).body.split('\n').length - 1, 10 * (sequence + 1));
    }
  });

  it('says how much is missing where the index is behind for too long', async () => {
    await using cloud = await serveCloud({
      limits: { catchUpMs: 5 },
      wrapIndex: (index) =>
        Object.assign(Object.create(index) as typeof index, {
          lag: () => 7,
          caughtUp: (signal: AbortSignal) =>
            new Promise((_, reject) =>
              signal.addEventListener('abort', () => reject(signal.reason as Error)),
            ),
        }),
    });
    const response = await fetch(`${cloud.api.url}/v1/streams`);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('fleetlog-index-lag'), '7');
  });

  it('sums streams and gateways up', async () => {
    await using cloud = await serveCloud();
    await append(cloud.log, frameBatches(3, 100), { receiveTimeUs: baseUs });
    await append(cloud.log, [lineBatch([{ timeUs: baseUs, text: 'x\n' }], { gateway, epoch, sequence: 0 })]);
    await append(cloud.log, [eventBatch(5, 'source.started', { gateway: 'van-1', epoch, sequence: 0 })], {
      gateway: 'van-1',
    });
    cloud.fleet.gateways = [
      {
        gateway,
        connected: true,
        lastSeenUs: baseUs,
        status: {
          connected: true,
          epoch,
          version: '0.1.0',
          timeUs: baseUs,
          streams: { can0: { kind: 'can', first: 2, next: 9, bytes: 5000, discarded: 0 } },
        },
      },
    ];
    cloud.fleet.sequences = [{ gateway, epoch, stream: 'can0', held: new RangeSet([[0, 2]]) }];
    const { streams } = await json<Streams>(cloud, '/v1/streams');
    assert.equal(streams.length, 3);
    const [can] = streams;
    assert.deepEqual(
      [can.gateway, can.stream, can.kind, can.batches, can.records, can.pendingBatches],
      [gateway, 'can0', 'can', 3, 300, 6],
    );
    assert.equal(can.firstTime, '2017-07-14T02:40:00.000000Z');
    assert.equal(can.lastTime, '2017-07-14T02:40:02.000099Z');
    assert.equal(can.lastReceiveTime, '2017-07-14T02:40:00.000000Z');
    assert.equal(can.bytesPerRecord, can.bytes / 300);
    assert.ok((can.secondsSinceReceive ?? 0) > 1e6);
    assert.equal((await json<Streams>(cloud, '/v1/streams?gateway=van-1')).streams[0].stream, 'events');
    assert.equal((await json<Streams>(cloud, '/v1/streams?stream=gps0')).streams[0].kind, 'lines');

    const { gateways } = await json<Gateways>(cloud, '/v1/gateways');
    assert.deepEqual(
      gateways.map((row) => [row.gateway, row.connected, row.streams, row.pendingBatches]),
      [
        [gateway, true, 2, 6],
        ['van-1', false, 1, 0],
      ],
    );
    assert.equal(gateways[0].bufferBytes, 5000);
  });

  it('accounts for every sequence: explained, pending, missing', async () => {
    await using cloud = await serveCloud();
    await append(cloud.log, [gapBatch(3, 4, 'buffer-full', { gateway, epoch })]);
    cloud.fleet.sequences = [{ gateway, epoch, stream: 'can0', held: new RangeSet([[0, 5]]) }];
    const { gaps, batches, heldBatches, streams } = await json<Gaps>(
      cloud,
      `/v1/gaps?gateway=${gateway}&stream=can0`,
    );
    assert.deepEqual(
      gaps.map((gap) => [gap.first, gap.last, gap.state, gap.cause]),
      [[3, 4, 'explained', 'buffer-full']],
    );
    assert.deepEqual(batches, { explained: 2, pending: 0, trimmed: 0, missing: 0 });
    assert.deepEqual([heldBatches, streams], [4, 1]);
  });

  it('exports the range that is asked for, to the µs, in the format that is asked for', async () => {
    await using cloud = await serveCloud();
    await append(cloud.log, frameBatches(3, 100));
    const range = `${exportPath}&from=1500000001.000010&to=2017-07-14T02:40:01.000020Z`;
    const { status, body, type } = await get(cloud, range);
    assert.equal(status, 200);
    assert.match(type, /^text\/plain/);
    const lines = body.split('\n').slice(0, -1);
    assert.equal(lines.length, 10);
    assert.match(lines[0], /^\(1500000001\.000010\) can0 /);
    assert.match(lines[9], /^\(1500000001\.000019\) can0 /);
    const byKind = await get(cloud, `/v1/export?gateway=${gateway}&stream=can0`);
    assert.match(byKind.body, /^\(1500000000\.000000\) can0 /);
    const ndjson = await get(cloud, exportPath.replace('candump', 'ndjson'));
    assert.equal(ndjson.type, 'application/x-ndjson');
    assert.equal(ndjson.body.split('\n').length, 301);
    assert.equal((await get(cloud, `${exportPath}&from=2030-01-01`)).body, '');
  });

  const errors: [what: string, path: string, status: number, code: string, message: RegExp][] = [
    ['an unknown path', '/v2/streams', 404, 'FLEETLOG_NOT_FOUND', /GET \/v2\/streams/],
    [
      'an unknown gateway',
      '/v1/streams?gateway=truck-18',
      404,
      'FLEETLOG_NOT_FOUND',
      /there are truck-17\.$/,
    ],
    ['an unknown stream', '/v1/gaps?stream=can9', 404, 'FLEETLOG_NOT_FOUND', /there are can0, gps0\.$/],
    [
      'a stream of another gateway',
      '/v1/export?gateway=truck-17&stream=x',
      404,
      'FLEETLOG_NOT_FOUND',
      /on gateway truck-17/,
    ],
    ['a tail of nothing', '/v1/tail?gateway=nobody', 404, 'FLEETLOG_NOT_FOUND', /no gateway nobody/],
    ['a parameter that is missing', '/v1/export?stream=can0', 400, 'FLEETLOG_USAGE', /gateway/],
    [
      'a parameter that is unknown',
      '/v1/streams?gatway=truck-17',
      400,
      'FLEETLOG_USAGE',
      /additional properties/,
    ],
    ['a format that is unknown', `${exportPath}x`, 400, 'FLEETLOG_USAGE', /allowed values/],
    [
      'a format of another kind',
      exportPath.replace('=candump', '=lines'),
      400,
      'FLEETLOG_USAGE',
      /choose candump, ndjson, .* or /,
    ],
    [
      'a time that is none',
      `${exportPath}&from=yesterday`,
      400,
      'FLEETLOG_USAGE',
      /"yesterday" isn't a time/,
    ],
    ['a range that is none', `${exportPath}&from=now&to=-1h`, 400, 'FLEETLOG_USAGE', /isn't before/],
    ['a URL of 5000 characters', `/v1/streams?gateway=${'x'.repeat(5000)}`, 400, 'FLEETLOG_USAGE', /4096/],
    ['a URL that is no URL', '/v1/%zz', 400, 'FLEETLOG_USAGE', /valid/],
  ];
  for (const [what, path, status, code, message] of errors) {
    it(`answers ${what} with ${status} and ${code}`, async () => {
      await using cloud = await serveCloud();
      await append(cloud.log, frameBatches(1, 1));
      await append(cloud.log, [lineBatch([{ timeUs: 1, text: 'x\n' }], { gateway, epoch, sequence: 0 })]);
      const answer = await get(cloud, path);
      const body = JSON.parse(answer.body) as { code: string; message: string };
      assert.equal(answer.status, status);
      assert.equal(body.code, code);
      assert.match(body.message, message);
      assert.deepEqual(Object.keys(body), ['code', 'message']);
    });
  }

  it('refuses one export too many, and takes it when there is room', async () => {
    await using cloud = await serveCloud({ limits: { exportsMax: 1 } });
    await append(cloud.log, frameBatches(200, 2000)); // more than sockets buffer
    const first = await head(cloud, exportPath);
    const second = await get(cloud, exportPath);
    assert.equal(second.status, 503);
    assert.equal((JSON.parse(second.body) as { code: string }).code, 'FLEETLOG_BUSY');
    assert.equal((await json<Status>(cloud, '/v1/status')).running.exports, 1);
    first.destroy();
    await until(
      'the slot is free',
      async () => (await json<Status>(cloud, '/v1/status')).running.exports === 0,
    );
    assert.equal((await get(cloud, `${exportPath}&to=1500000001`)).status, 200);
  });

  it('cuts the connection where the log is damaged, and answers plainly where nothing was sent yet', async () => {
    await using cloud = await serveCloud();
    await append(cloud.log, frameBatches(100, 2000));
    await get(cloud, exportPath);
    const [{ bytes }] = (await cloud.log.get(cloud.log.partitionOf(gateway), [99])) as [LogEntry];
    bytes[bytes.length - 10] ^= 1;
    const cut = await head(cloud, exportPath);
    assert.equal(cut.statusCode, 200);
    await assert.rejects(cut.resume().toArray(), { code: 'ECONNRESET' });
    const plain = await get(cloud, `${exportPath}&from=1500000099`);
    assert.equal(plain.status, 500);
    assert.match(plain.body, /FLEETLOG_BATCH_CHECKSUM.*offset 99/);
  });

  it('reads the log no further than the client does, and stops when the client is gone or takes nothing', async () => {
    const log = new MemoryLog();
    let readUpTo = 0;
    const read = log.get.bind(log);
    log.get = (partition, offsets) => {
      readUpTo = Math.max(readUpTo, ...offsets);
      return read(partition, offsets);
    };
    await using cloud = await serveCloud({ log, limits: { idleMs: 300 } });
    await append(log, frameBatches(2000, 1000)); // 92 MB of text
    const slow = await head(cloud, exportPath);
    const runningIs = (count: number) => async (): Promise<boolean> =>
      (await json<Status>(cloud, '/v1/status')).running.exports === count;
    await until('the idle client was dropped', runningIs(0));
    assert.ok(readUpTo < 1000, `read up to ${readUpTo}`);
    await assert.rejects(slow.resume().toArray(), { code: 'ECONNRESET' });
    const gone = await head(cloud, exportPath);
    gone.destroy();
    await until('the work for nobody has stopped', runningIs(0));
  });

  it('tails what comes, of whom is asked for, with signs of life between', async () => {
    await using cloud = await serveCloud({ limits: { heartbeatMs: 20 } });
    await append(cloud.log, [lineBatch([{ timeUs: 1, text: 'before\n' }], { gateway, epoch, sequence: 0 })]);
    const response = await head(cloud, `/v1/tail?gateway=${gateway}&stream=gps0&format=text`);
    let text = '';
    response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    await append(cloud.log, [
      canBatch([5], { gateway, epoch, sequence: 0 }),
      lineBatch([{ timeUs: 2, text: 'after\r\n' }], { gateway, epoch, sequence: 1 }),
      lineBatch([{ timeUs: 2, text: 'other stream\n' }], { gateway, stream: 'gps1', epoch, sequence: 0 }),
      Buffer.from('not a batch'),
      gapBatch(2, 3, 'expired', { gateway, stream: 'gps0', epoch }),
      lineBatch([{ timeUs: 3, text: Buffer.from('b56201071b', 'hex') }], { gateway, epoch, sequence: 4 }),
      lineBatch([{ timeUs: 3, text: 'last\n' }], { gateway, epoch, sequence: 5 }),
    ]);
    await until('all lines came', () => text.includes('last'));
    await until('a sign of life came', () => text.endsWith('\n\n'));
    assert.deepEqual(
      text.split('\n').filter((line) => line),
      [`${gateway} gps0 after`, `${gateway} gps0 b56201071b`, `${gateway} gps0 last`],
    );
    response.destroy();
    await until(
      'the tail has ended',
      async () => (await json<Status>(cloud, '/v1/status')).running.tails === 0,
    );
  });

  it('tails all gateways from a moment on, as NDJSON', async () => {
    await using cloud = await serveCloud();
    for (const [i, name] of ['truck-1', 'truck-2', 'van-1', 'van-2'].entries()) {
      const options = { gateway: name, receiveTimeUs: baseUs + i * 1_000_000 };
      await append(cloud.log, [canBatch([i], { gateway: name, epoch, sequence: 0 })], options);
    }
    const response = await head(cloud, '/v1/tail?from=1500000001');
    let text = '';
    response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    await until('three came', () => text.split('\n').length === 4);
    const rows = text
      .split('\n')
      .filter((line) => line)
      .map((line) => JSON.parse(line) as { gateway: string; stream: string; id: string });
    assert.deepEqual(rows.map((row) => row.gateway).sort(), ['truck-2', 'van-1', 'van-2']);
    assert.equal(rows[0].stream, 'can0');
    response.destroy();
  });

  it('follows the log in a tail at the pace of the client', async () => {
    const log = new MemoryLog(1);
    let followed = 0;
    await using cloud = await serveCloud({ log });
    const follow = log.follow.bind(log);
    log.follow = async function* (...parameters): AsyncIterable<LogEntry> {
      for await (const entry of follow(...parameters)) {
        followed++;
        yield entry;
      }
    };
    await append(log, frameBatches(1, 1));
    const response = await head(cloud, `/v1/tail?gateway=${gateway}&from=1970-01-01&format=text`);
    await append(log, frameBatches(800, 1000).slice(1));
    await cloud.index.caughtUp(AbortSignal.timeout(10_000));
    let before = -1;
    await until('the tail stands still', async () => {
      const same = before === followed;
      before = followed;
      await systemClock.sleep(50);
      return same;
    });
    assert.ok(followed < 500, `${followed} entries were read for a client that takes nothing`);
    let bytes = 0;
    response.on('data', (chunk: Uint8Array) => (bytes += chunk.length));
    await until('all of it came', () => followed === 800 && bytes > 800 * 1000 * 50, 30_000);
    response.destroy();
  });

  it('says how it is, and describes itself', async () => {
    await using cloud = await serveCloud();
    await append(cloud.log, frameBatches(2, 1));
    cloud.fleet.counters.refused['FLEETLOG_TOPIC'] = 3;
    const status = await json<Status>(cloud, '/v1/status');
    assert.equal(status.version, '1.2.3');
    assert.deepEqual(status.ingest.refused, { FLEETLOG_TOPIC: 3 });
    assert.equal(
      status.log.partitions.reduce((sum, { next }) => sum + next, 0),
      2,
    );
    assert.ok(status.rssBytes > 1e6 && status.uptimeSeconds > 0);
    assert.deepEqual(await json(cloud, '/v1/health'), { status: 'ok' });
    const openapi = await json<{ paths: object }>(cloud, '/v1/openapi.json');
    assert.deepEqual(Object.keys(openapi.paths).sort(), [
      '/metrics',
      '/v1/assignments',
      '/v1/backup',
      '/v1/backup/file',
      '/v1/clocks',
      '/v1/consume',
      '/v1/databases',
      '/v1/databases/{name}',
      '/v1/export',
      '/v1/gaps',
      '/v1/gateways',
      '/v1/groups',
      '/v1/groups/{group}',
      '/v1/groups/{group}/members/{member}/commit',
      '/v1/groups/{group}/reset',
      '/v1/health',
      '/v1/holds',
      '/v1/holds/{id}',
      '/v1/import',
      '/v1/latest',
      '/v1/query',
      '/v1/signals',
      '/v1/status',
      '/v1/storage',
      '/v1/streams',
      '/v1/tail',
      '/v1/vehicles',
      '/v1/verify',
    ]);
  });

  it('names the port that is taken, and what to do', async () => {
    await using cloud = await serveCloud();
    const { log, index, fleet, groups, catalogue, api } = cloud;
    await using kept = await keeping(log, index);
    await assert.rejects(
      startApi({
        retention: kept.retention,
        disk: kept.disk,
        log,
        index,
        fleet,
        groups,
        catalogue,
        logger: silentLogger,
        clock: systemClock,
        imports: noImports,
        version: '0',
        host: '127.0.0.1',
        port: api.port,
      }),
      (error) =>
        isFleetlogError(error, 'FLEETLOG_PORT_TAKEN') &&
        error.message.includes(String(api.port)) &&
        error.message.includes('--http'),
    );
  });

  it('closes at once while clients hang on, and cuts what they read', async () => {
    const cloud = await serveCloud();
    await append(cloud.log, frameBatches(500, 2000));
    const idle = connect(cloud.api.port, '127.0.0.1');
    await once(idle, 'connect');
    const reading = await head(cloud, exportPath);
    const tailing = await head(cloud, '/v1/tail');
    await cloud[Symbol.asyncDispose]();
    await assert.rejects(reading.resume().toArray(), { code: 'ECONNRESET' });
    await assert.rejects(tailing.resume().toArray(), { code: 'ECONNRESET' });
    idle.destroy();
  });
});
