import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { silentLogger } from '@fleetlog/shared/log';
import { systemClock } from '@fleetlog/shared/util';
import { checkGatewayConfig } from '#gateway/config.js';
import { openGatewayBuffer } from '#gateway/main.js';
import { candumpText } from '#sim/vehicle/can-bus.js';
import { bins } from '../support/chaos/process.js';
import { CloudProcess } from '../support/cloud-process.js';
import { MeasuredGateway } from '../support/measured-gateway.js';
import { residentBytes, residentBytesPeak } from '../support/resident.js';
import { sealedBatch } from '../support/sealed-batches.js';
import { tempFolder } from '../support/temp-folder.js';
import type { BenchRow } from './row.js';

/** FLEETLOG_BENCH=long: the start is measured with a buffer of 10 GB, and what is live for longer. */
const isLong = process.env['FLEETLOG_BENCH'] === 'long';
const drainedBytes = 1e9;
const startBytes = isLong ? 10e9 : 1e9;
const liveSeconds = isLong ? 600 : 60;
const starts = 5;
const driveSeconds = 900;
const recordings = 4;
const heldBatchBytes = 20_000;
const waitMsMax = 1_800_000;

/** What a gateway's whole process takes of the memory, and how long it takes to start with a full buffer. */
export async function benchFootprint(): Promise<BenchRow[]> {
  return [await fullPace(), await live(), await drain(), ...(await start())];
}

async function fullPace(): Promise<BenchRow> {
  await using folder = await tempFolder('bench');
  const streams: Record<string, object> = {};
  for (let i = 0; i < recordings; i++) {
    const path = join(folder.path, `${i}.candump`);
    const drive = { seed: i, startUs: 1_700_000_000_000_000, durationUs: driveSeconds * 1e6, rate: 2 };
    await pipeline(Readable.from(candumpText(drive)), createWriteStream(path));
    const isText = i === recordings - 1;
    streams[`s${i}`] = { source: 'file', path, pace: 'max', format: isText ? 'lines' : 'candump' };
  }
  await using cloud = await CloudProcess.serve(join(folder.path, 'cloud'));
  await using gateway = await MeasuredGateway.start(folder.path, { uplink: uplinkTo(cloud), streams });
  await gateway.reports(
    'all is read and acknowledged',
    ({ streams: all }) =>
      all.every(
        ({ source, batches }) => batches === 0 && (source === undefined || source.condition === 'ended'),
      ),
    waitMsMax,
  );
  const on = `${recordings} recordings of ${driveSeconds} s at once, three of CAN frames, one as text, to a cloud`;
  return mebibytes('memory at full pace, the most', residentBytesPeak(gateway.pid), on);
}

async function live(): Promise<BenchRow> {
  await using folder = await tempFolder('bench');
  await using cloud = await CloudProcess.serve(join(folder.path, 'cloud'));
  const command = [process.execPath, bins.sim, 'stream', '--format', 'candump', '--rate', '2'];
  const streams = { can0: { source: 'command', command, format: 'candump' } };
  await using gateway = await MeasuredGateway.start(folder.path, { uplink: uplinkTo(cloud), streams });
  await new Promise((resolve) => setTimeout(resolve, liveSeconds * 1000));
  return mebibytes(
    'memory live',
    residentBytes(gateway.pid),
    `4,200 frames/s, connected, after ${liveSeconds} s`,
  );
}

async function drain(): Promise<BenchRow> {
  await using folder = await tempFolder('bench');
  await fill(folder.path, drainedBytes);
  await using cloud = await CloudProcess.serve(join(folder.path, 'cloud'));
  await using gateway = await MeasuredGateway.start(folder.path, { uplink: uplinkTo(cloud), streams: {} });
  await gateway.reports(
    'all is acknowledged',
    ({ streams }) => streams.every((s) => s.batches === 0),
    waitMsMax,
  );
  const on = `${drainedBytes / 1e9} GB in batches of ${heldBatchBytes} bytes`;
  return mebibytes('memory while a backlog drains, the most', residentBytesPeak(gateway.pid), on);
}

async function start(): Promise<BenchRow[]> {
  await using folder = await tempFolder('bench');
  await fill(folder.path, startBytes);
  const readyMs: number[] = [];
  const memory: number[] = [];
  for (let i = 0; i < starts; i++) {
    const startedMs = performance.now();
    await using gateway = await MeasuredGateway.start(folder.path, offline);
    await gateway.reports('it answers', () => true, waitMsMax);
    readyMs.push(performance.now() - startedMs);
    memory.push(residentBytes(gateway.pid));
  }
  const on = `${startBytes / 1e9} GB in the buffer; whole process, until it captures and answers; median of ${starts}`;
  return [
    { name: 'start to ready', value: median(readyMs), unit: 'ms', on },
    mebibytes('memory once started', median(memory), on),
  ];
}

/** Enough room for ten gigabytes, whatever the disk. */
const buffer = { limit: '20GB', minFree: '1MB' };
const offline = { uplink: { url: 'mqtt://127.0.0.1:1' }, buffer, streams: {} };
const uplinkTo = (cloud: CloudProcess): object => ({ url: `mqtt://127.0.0.1:${cloud.mqttPort}` });

async function fill(folder: string, bytes: number): Promise<void> {
  const data = join(folder, 'data');
  await mkdir(data);
  const config = checkGatewayConfig({ gateway: 'measured', data, ...offline }, 'bench');
  await using opened = await openGatewayBuffer(config, systemClock, silentLogger);
  const batch = sealedBatch('x', { bytes: heldBatchBytes });
  for (let put = 0; put < bytes; put += heldBatchBytes) {
    const payload = { ...batch.payload, payload: randomBytes(heldBatchBytes) };
    await opened.put('can0', { ...batch, payload });
  }
}

const mebibytes = (name: string, bytes: number, on: string): BenchRow => ({
  name,
  value: bytes / 2 ** 20,
  unit: 'MiB',
  on: `${on}; resident`,
});

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1];
