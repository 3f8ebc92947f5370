import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { McapStreamReader } from '@mcap/core';
import { messageText } from '../support/dbc.js';
import { duckRows } from '../support/duck-rows.js';
import { append, candumpBatches } from '../support/recorded.js';
import { serveCloud } from '../support/serving-cloud.js';
import { tempFolder } from '../support/temp-folder.js';

const gateway = 'truck-17';
const database =
  messageText(
    ['Rpm : 0|16@1+ (0.25,0) [0|0] "rpm" Node', 'Gear : 16|8@1+ (1,0) [0|0] "" Node'],
    'BO_ 256 Engine: 8 Node',
  ) + messageText(['Door : 0|1@1+ (1,0) [0|0] "" Node'], 'BO_ 512 Body: 8 Node');
const frames = 20_000;

/** An engine's message every 10 ms, every tenth time followed by one of the body. */
async function exported(query: string): Promise<{ status: number; bytes: Buffer }> {
  await using cloud = await serveCloud();
  const lines = Array.from({ length: frames }, (_, i) => {
    const second = `${1_000_000_000 + Math.floor(i / 100)}.${String(i % 100).padStart(2, '0')}`;
    const rpm = Buffer.from([i & 255, (i >> 8) & 255])
      .toString('hex')
      .toUpperCase();
    const body = i % 10 === 0 ? `(${second}0001) can0 200#0${(i / 10) % 2}\n` : '';
    return `(${second}0000) can0 100#${rpm}0${i % 7}0000000000\n${body}`;
  });
  await append(
    cloud.log,
    candumpBatches(Buffer.from(lines.join('')), { gateway, epoch: '0011223344556677' }),
  );
  const bytes = Buffer.from(database);
  await cloud.catalogue.add({ name: 'car', file: '', bytes, ignoreErrors: true, nowUs: 0 });
  await cloud.catalogue.assign(
    { gateway, stream: 'can0', database: 'car', version: undefined, fromUs: undefined, toUs: undefined },
    { replace: false },
  );
  const answer = await fetch(`${cloud.api.url}/v1/export?gateway=${gateway}&${query}`);
  return { status: answer.status, bytes: Buffer.from(await answer.bytes()) };
}

describe('exports of signals', () => {
  it('are Parquet that DuckDB reads: a row for each time, a column for each signal', async () => {
    await using folder = await tempFolder('signals');
    const path = join(folder.path, 'day.parquet');
    const { status, bytes } = await exported('format=parquet&signal=Rpm&signal=Engine/Gear&signal=Door');
    assert.equal(status, 200, bytes.toString());
    await writeFile(path, bytes);
    const rows = await duckRows(`select epoch_us(time), "Rpm", "Engine/Gear", "Door" from '${path}'`);
    const expected = Array.from({ length: frames }, (_, i) => {
      const timeUs = 1e15 + i * 10_000;
      const engine = [String(timeUs), (i & 0xffff) / 4, i % 7, null];
      return i % 10 === 0 ? [engine, [String(timeUs + 1), null, null, (i / 10) % 2]] : [engine];
    }).flat();
    assert.deepEqual(rows, expected);
  });

  it('are MCAP with a channel for each message, whose fields are the signals', async () => {
    const { status, bytes } = await exported(
      'format=mcap&signal=Rpm&signal=Engine/Gear&signal=Door&to=1000000001',
    );
    assert.equal(status, 200, bytes.toString());
    const reader = new McapStreamReader({
      decompressHandlers: { zstd: (chunk) => zstdDecompressSync(chunk) },
    });
    reader.append(bytes);
    const topics = new Map<number, string>();
    const messages: [string, number, unknown][] = [];
    for (let record = reader.nextRecord(); record; record = reader.nextRecord()) {
      if (record.type === 'Channel') topics.set(record.id, record.topic);
      if (record.type !== 'Message') continue;
      const value = JSON.parse(Buffer.from(record.data).toString()) as unknown;
      messages.push([topics.get(record.channelId)!, Number(record.logTime / 1000n), value]);
    }
    assert.equal(messages.length, 110);
    assert.deepEqual(messages.slice(10, 13), [
      ['/truck-17/can0/Engine', 1e15 + 90_000, { Rpm: 2.25, Gear: 2 }],
      ['/truck-17/can0/Engine', 1e15 + 100_000, { Rpm: 2.5, Gear: 3 }],
      ['/truck-17/can0/Body', 1e15 + 100_001, { Door: 1 }],
    ]);
  });

  it('say where text is given, and which signal there is none of', async () => {
    const text = await exported('format=csv&signal=Rpm');
    assert.equal(text.status, 400);
    assert.match(text.bytes.toString(), /parquet or mcap; for csv and ndjson use \\"fleetlog query/);
    const unknown = await exported('format=mcap&signal=Rqm');
    assert.equal(unknown.status, 404);
  });
});
