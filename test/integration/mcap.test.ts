import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { McapIndexedReader } from '@mcap/core';
import { encodeSamples, Samples } from '@fleetlog/shared/batch';
import { serveCloud } from '../support/serving-cloud.js';
import { seal } from '../support/batches.js';
import { messageText } from '../support/dbc.js';
import { sentence } from '../support/nmea.js';
import { append, candumpBatches, eventBatch, lineBatch } from '../support/recorded.js';
import { tempFolder } from '../support/temp-folder.js';

const python = process.env['FLEETLOG_TEST_PYTHON'] ?? 'python3';
const hasPython = spawnSync(python, ['-c', 'import mcap']).status === 0;
const startUs = 1_790_000_000_000_000;

type Message = [topic: string, timeUs: number, value: Record<string, unknown>];

/** Two gateways with streams of every kind. */
async function withExport(use: (path: string, expected: Message[]) => Promise<void>): Promise<void> {
  await using cloud = await serveCloud();
  await using folder = await tempFolder('mcap');
  const expected: Message[] = [];
  for (const gateway of ['truck-17', 'bus-4']) {
    const header = { gateway, epoch: '1111111111111111', sequence: 0 };
    const lines = Array.from(
      { length: 3000 },
      (_, i) => `(1790000000.${1000 + i}00) can0 123#${i % 10}0FF\n`,
    );
    lines.push('(1790000001.000000) can1 1F334455##5AABB\n', '(1790000001.000001) can0 001#R3\n');
    lines.push('(1790000001.000002) can0 20000004#0001020304050607\n', '(1790000001.000003) can0 7FF# R\n');
    await append(cloud.log, candumpBatches(Buffer.from(lines.join('')), header), { gateway });
    for (let i = 0; i < 3000; i++) {
      const data = Buffer.from([16 * (i % 10), 0xff]).toString('base64');
      expected.push([
        `/${gateway}/can0`,
        startUs + (1000 + i) * 100,
        { bus: 'can0', id: 0x123, extended: false, type: 'data', dlc: 2, data },
      ]);
    }
    const last = (i: number, value: object): void => {
      expected.push([`/${gateway}/can0`, startUs + 1_000_000 + i, value as never]);
    };
    const id = 0x1f33_4455;
    last(0, { bus: 'can1', id, extended: true, type: 'fd', dlc: 2, data: 'qrs=', brs: true, esi: false });
    last(1, { bus: 'can0', id: 1, extended: false, type: 'remote', dlc: 3, data: '' });
    last(2, { bus: 'can0', id: 4, extended: false, type: 'error', dlc: 8, data: 'AAECAwQFBgc=' });
    last(3, { bus: 'can0', id: 0x7ff, extended: false, type: 'data', dlc: 0, data: '', direction: 'rx' });
    await append(
      cloud.log,
      [
        lineBatch(
          [
            { timeUs: startUs, text: '$GPGGA\r\n' },
            { timeUs: startUs + 1, text: Buffer.from([0xff, 0x0a]) },
          ],
          header,
        ),
        eventBatch(startUs, 'source.started', header),
      ],
      { gateway },
    );
    expected.push([`/${gateway}/gps0`, startUs, { text: '$GPGGA', end: '\r\n' }]);
    expected.push([`/${gateway}/gps0`, startUs + 1, { base64: '/wo=' }]);
    expected.push([
      `/${gateway}/events`,
      startUs,
      { type: 'source.started', attributes: { reason: 'test' } },
    ]);
    const samples = new Samples([{ name: 'ax', unit: 'm/s²', type: 'i16', scale: 0.1 }]);
    samples.columns[0][samples.append(startUs)] = 338;
    await append(cloud.log, [seal(encodeSamples(samples), { ...header, stream: 'imu' })], { gateway });
    expected.push([`/${gateway}/imu`, startUs, { ax: 33.8 }]);
  }
  await cloud.index.caughtUp(AbortSignal.timeout(10_000));
  const answer = await fetch(`${cloud.api.url}/v1/export?gateway=truck-17&gateway=bus-4&format=mcap`);
  assert.equal(answer.status, 200);
  const path = join(folder.path, 'drives.mcap');
  await writeFile(path, await answer.bytes());
  await use(path, expected);
}

const sorted = (messages: readonly Message[]): string[] =>
  messages.map(([topic, timeUs, value]) => JSON.stringify([topic, timeUs, value])).sort();

describe('MCAP exports', () => {
  before(() => {
    if (!hasPython) console.log(`      ${python} has no mcap: what needs it is skipped`);
  });

  it('hold several gateways and streams of every kind, in order of time, and open by their index', async () => {
    await withExport(async (path, expected) => {
      await using file = await open(path);
      const { size } = await file.stat();
      const reader = await McapIndexedReader.Initialize({
        readable: {
          size: async () => BigInt(size),
          read: async (offset, length) => {
            const { buffer } = await file.read(
              new Uint8Array(Number(length)),
              0,
              Number(length),
              Number(offset),
            );
            return buffer;
          },
        },
        decompressHandlers: { zstd: (bytes) => zstdDecompressSync(bytes) },
      });
      const read: Message[] = [];
      for await (const { channelId, logTime, data } of reader.readMessages()) {
        const { topic } = reader.channelsById.get(channelId)!;
        const value = JSON.parse(Buffer.from(data).toString()) as Record<string, unknown>;
        read.push([topic, Number(logTime / 1000n), value]);
      }
      assert.deepEqual(sorted(read), sorted(expected));
      assert.ok(read.every(([, timeUs], i) => i === 0 || read[i - 1][1] <= timeUs));
      assert.equal(reader.channelsById.size, 8);
      assert.deepEqual([...reader.schemasById.values()].map(({ name }) => name).sort(), [
        'fleetlog.CanFrame',
        'fleetlog.Event',
        'fleetlog.Line',
        'fleetlog.Samples',
      ]);
    });
  });

  it('are read by the mcap package of Python, checksums and schemas included', async function () {
    if (!hasPython) this.skip();
    await withExport(async (path, expected) => {
      const { summary, messages } = readByPython(path);
      assert.deepEqual(summary, {
        messages: expected.length,
        compressions: ['zstd'],
        topics: ['can0', 'events', 'gps0', 'imu']
          .flatMap((stream) => [`/bus-4/${stream}`, `/truck-17/${stream}`])
          .sort(),
        schemas: ['fleetlog.CanFrame', 'fleetlog.Event', 'fleetlog.Line', 'fleetlog.Samples'],
      });
      assert.deepEqual(sorted(messages), sorted(expected));
    });
  });

  it('hold frames, positions and signals of several gateways in one file, all by time', async function () {
    if (!hasPython) this.skip();
    await using cloud = await serveCloud();
    await using folder = await tempFolder('mcap');
    const database = messageText(['Rpm : 0|16@1+ (0.25,0) [0|0] "rpm" Node'], 'BO_ 256 Engine: 8 Node');
    await cloud.catalogue.add({
      name: 'car',
      file: '',
      bytes: Buffer.from(database),
      ignoreErrors: true,
      nowUs: 0,
    });
    const seconds = 60;
    for (const gateway of ['truck-17', 'bus-4']) {
      const header = { gateway, epoch: '1111111111111111', sequence: 0 };
      const at = (i: number): string =>
        `${1_790_000_000 + Math.floor(i / 100)}.${String((i % 100) * 10_000).padStart(6, '0')}`;
      const lines = Array.from(
        { length: 100 * seconds },
        (_, i) => `(${at(i)}) can0 100#${(i % 200).toString(16).padStart(2, '0')}00\n`,
      );
      await append(cloud.log, candumpBatches(Buffer.from(lines.join('')), header), { gateway });
      const places = Array.from({ length: seconds }, (_, i) => ({
        timeUs: startUs + i * 1_000_000 + 5000,
        text: fixSentence(i),
      }));
      await append(cloud.log, [lineBatch(places, header)], { gateway });
      await cloud.catalogue.assign(
        { gateway, stream: 'can0', database: 'car', version: undefined, fromUs: undefined, toUs: undefined },
        { replace: false },
      );
    }
    await cloud.index.caughtUp(AbortSignal.timeout(10_000));
    const query = 'gateway=truck-17&gateway=bus-4&signal=Rpm&records=true';
    const answer = await fetch(`${cloud.api.url}/v1/export?${query}&format=mcap`);
    const path = join(folder.path, 'all.mcap');
    await writeFile(path, await answer.bytes());
    const { summary, messages } = readByPython(path);
    const topics = ['can0', 'can0/Engine', 'gps0', 'gps0/fix'];
    assert.deepEqual(summary, {
      messages: 2 * (2 * 100 * seconds + 2 * seconds),
      compressions: ['zstd'],
      topics: ['bus-4', 'truck-17'].flatMap((gateway) => topics.map((topic) => `/${gateway}/${topic}`)),
      schemas: [
        'fleetlog.CanFrame',
        'fleetlog.Line',
        'foxglove.LocationFix',
        'signals.bus-4.can0.Engine',
        'signals.truck-17.can0.Engine',
      ],
    });
    const of = (topic: string): Message[] => messages.filter(([name]) => name === topic);
    const frames = of('/bus-4/can0');
    assert.deepEqual(
      of('/bus-4/can0/Engine').map(([, timeUs, value]) => [timeUs, value]),
      frames.map(([, timeUs, { data }]) => [timeUs, { Rpm: Buffer.from(String(data), 'base64')[0] / 4 }]),
    );
    assert.equal(of('/truck-17/gps0/fix')[10][2]['latitude'], 48.1);

    const parquet = await fetch(`${cloud.api.url}/v1/export?${query}&format=parquet`);
    assert.equal(parquet.status, 400);
    assert.match(await parquet.text(), /fit into one file as mcap only/);
    const unknown = await fetch(`${cloud.api.url}/v1/export?${query}&signal=Rpn&format=mcap`);
    assert.equal(unknown.status, 404);
    assert.match(await unknown.text(), /no signal Rpn; there are Rpm/);
  });
});

/** 48° 6′ north, a little further east each second. */
function fixSentence(second: number): string {
  const clock = new Date(startUs / 1000 + 1000 * second).toISOString().slice(11, 19).replaceAll(':', '');
  return `${sentence(`GPGGA,${clock}.00,4806.000,N,01131.${100 + second},E,1,08,0.9,545.4,M,46.9,M,,`)}\r\n`;
}

function readByPython(path: string): { summary: unknown; messages: Message[] } {
  const text = execFileSync(python, ['test/support/read_with_mcap.py', path], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  const [summary, ...messages] = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  return { summary, messages: messages as Message[] };
}
