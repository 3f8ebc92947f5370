import { get } from 'node:http';
import { join } from 'node:path';
import type { IncomingMessage } from 'node:http';
import { silentLogger } from '@fleetlog/shared/log';
import { systemClock } from '@fleetlog/shared/util';
import { startApi } from '#cloud/api/server.js';
import { exportRecords } from '#cloud/export/export.js';
import { formats, type FormatName } from '#cloud/export/formats.js';
import { Groups } from '#cloud/consumers/groups.js';
import { openIndex, type Index } from '#cloud/index/index.js';
import type { Log } from '#cloud/log/log.js';
import { openLog } from '#cloud/log/rocksdb-log.js';
import { candumpText } from '#sim/vehicle/can-bus.js';
import { Catalogue } from '#cloud/signals/catalogue/index.js';
import { keeping } from '../support/keeping.js';
import { FakeFleet } from '../support/fake-fleet.js';
import { append, canBatch, candumpBatches } from '../support/recorded.js';
import { tempFolder } from '../support/temp-folder.js';
import type { BenchRow } from './row.js';
import { noImports } from '../support/no-imports.js';

const rounds = 5;
const driveSeconds = 600;
const framesPerBatch = 2000;
const smallBatches = 50_000;
const gateway = 'bench';

/** Reading the log: the index that follows it, exports in and out of the process, the first record of a range. */
export async function benchExport(): Promise<BenchRow[]> {
  await using folder = await tempFolder('bench');
  await using log = await openLog({
    path: join(folder.path, 'log'),
    logger: silentLogger,
    clock: systemClock,
  });
  const { frames, batches } = await fill(log);
  const indexing = await indexLog(log, folder.path, batches);
  await using index = await open(log, join(folder.path, 'index-0'));
  const on = `${(frames / 1e6).toFixed(1)} million frames in batches of ${framesPerBatch}; median of ${rounds}`;
  return [
    indexing,
    await reopened(log, index, folder.path),
    await exported('candump, in order', index, log, 'can0', frames, 'candump', on),
    await exported(
      'candump, two lives frame by frame in turns',
      index,
      log,
      'can1',
      2 * frames,
      'candump',
      on,
    ),
    await exported('ndjson, in order', index, log, 'can0', frames, 'ndjson', on),
    await overHttp(index, log, frames, on),
    await firstRecord(index, log),
  ];
}

const drive = { seed: 1, startUs: 1_700_000_000_000_000, durationUs: driveSeconds * 1e6, rate: 2 };

/** can0: the drive; can1: the same in two epochs, frame by frame in turns; other: many small batches, one a second. */
async function fill(log: Log): Promise<{ frames: number; batches: number }> {
  const text = Buffer.concat([...candumpText(drive)]);
  const batches = candumpBatches(text, { gateway, stream: 'can0' }, framesPerBatch);
  await append(log, batches, { gateway });
  for (const epoch of ['1111111111111111', '2222222222222222']) {
    await append(log, candumpBatches(text, { gateway, stream: 'can1', epoch }, framesPerBatch), { gateway });
  }
  for (let first = 0; first < smallBatches; first += 500) {
    const group = Array.from({ length: 500 }, (_, i) => {
      const timeUs = drive.startUs + (first + i) * 1e6;
      return canBatch([timeUs, timeUs + 500_000], { gateway, stream: 'other', sequence: first + i });
    });
    await append(log, group, { gateway });
  }
  return { frames: text.filter((byte) => byte === 0x0a).length, batches: batches.length };
}

const open = (log: Log, path: string): Promise<Index> =>
  openIndex({ log, path, logger: silentLogger, clock: systemClock });

async function indexLog(log: Log, folder: string, large: number): Promise<BenchRow> {
  const batches = log.ends().reduce((sum, { next }) => sum + next, 0);
  const rates: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const started = performance.now();
    await using index = await open(log, join(folder, `index-${round}`));
    await index.caughtUp(AbortSignal.timeout(600_000));
    rates.push(batches / ((performance.now() - started) / 1000));
  }
  return {
    name: 'index built anew from the log',
    value: median(rates),
    unit: 'batches/s',
    on: `${batches} batches in the RocksDB log, ${3 * large} of them of ${framesPerBatch} frames; median of ${rounds}`,
  };
}

async function reopened(log: Log, first: Index, folder: string): Promise<BenchRow> {
  const times: number[] = [];
  for (let round = 1; round < rounds; round++) {
    const started = performance.now();
    await using index = await open(log, join(folder, `index-${round}`));
    await index.caughtUp(AbortSignal.timeout(600_000));
    times.push(performance.now() - started);
  }
  const bytes = await first.diskBytes();
  return {
    name: 'index opened',
    value: median(times),
    unit: 'ms',
    on: `${(bytes / 1e6).toFixed(0)} MB of index`,
  };
}

const whole = (stream: string): { gateway: string; stream: string; fromUs: number; toUs: number } => ({
  gateway,
  stream,
  fromUs: 0,
  toUs: 4e15,
});

async function exported(
  name: string,
  index: Index,
  log: Log,
  stream: string,
  frames: number,
  format: FormatName,
  on: string,
): Promise<BenchRow> {
  const rates: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const started = performance.now();
    let bytes = 0;
    const formatter = formats[format].create({ several: false });
    for await (const chunk of exportRecords({ index, log, ranges: [whole(stream)], formatter }))
      bytes += chunk.length;
    if (bytes === 0) throw new Error(`nothing came of ${stream}`);
    rates.push(frames / ((performance.now() - started) / 1000));
  }
  return { name: `export: ${name}`, value: median(rates), unit: 'frames/s', on };
}

async function overHttp(index: Index, log: Log, frames: number, on: string): Promise<BenchRow> {
  await using folder = await tempFolder('catalogue');
  await using groups = await Groups.open({ log, logger: silentLogger, clock: systemClock });
  await using kept = await keeping(log, index);
  const { retention, disk } = kept;
  const api = await startApi({
    groups,
    retention,
    disk,
    catalogue: await Catalogue.open(folder.path),
    host: '127.0.0.1',
    port: 0,
    log,
    index,
    imports: noImports,
    version: '0',
    fleet: new FakeFleet(),
    logger: silentLogger,
    clock: systemClock,
  });
  const rates: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const started = performance.now();
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      get(`${api.url}/v1/export?gateway=${gateway}&stream=can0`, { agent: false }, resolve).on(
        'error',
        reject,
      );
    });
    for await (const _ of response);
    rates.push(frames / ((performance.now() - started) / 1000));
  }
  await api.close();
  return {
    name: 'export: candump over HTTP, client in this process',
    value: median(rates),
    unit: 'frames/s',
    on,
  };
}

async function firstRecord(index: Index, log: Log): Promise<BenchRow> {
  const times: number[] = [];
  for (let round = 0; round < 5 * rounds; round++) {
    const fromUs = drive.startUs + Math.floor((smallBatches * (round + 0.5)) / (5 * rounds)) * 1e6;
    const started = performance.now();
    const range = { gateway, stream: 'other', fromUs, toUs: fromUs + 1e6 };
    const formatter = formats.candump.create();
    for await (const _ of exportRecords({ index, log, ranges: [range], formatter })) break;
    times.push(performance.now() - started);
  }
  return {
    name: 'export: one second out of the middle',
    value: median(times),
    unit: 'ms',
    on: `${smallBatches} batches in the stream; median of ${5 * rounds}`,
  };
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}
