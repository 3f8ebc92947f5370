import { createWriteStream } from 'node:fs';
import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { GatewayReport } from '#gateway/control/status.js';
import { candumpText } from '#sim/vehicle/can-bus.js';
import { bins } from '../support/chaos/process.js';
import { CloudProcess } from '../support/cloud-process.js';
import { fillMeasuredBuffer, nowhere, roomyBuffer } from '../support/filled-buffer.js';
import { MeasuredGateway } from '../support/measured-gateway.js';
import { AnonymousPeak, anonymousBytes, residentBytes, residentBytesPeak } from '../support/resident.js';
import { tempFolder } from '../support/temp-folder.js';
import { isLong, type BenchRow } from './row.js';

const backlogBytes = isLong ? 10e9 : 1e9;
const liveSeconds = isLong ? 600 : 60;
const driveSeconds = 900;
const recordings = 4;
const heldBatchBytes = 20_000;
const smallLimit = '48MiB';
const waitMsMax = 1_800_000;

/** What a gateway's whole process takes of the memory, whatever it does. */
export async function benchFootprint(): Promise<BenchRow[]> {
  return [
    ...(await fullPace()),
    ...(await eviction()),
    ...(await live()),
    ...(await drain('oldest-first')),
    ...(await drain('newest-first')),
    ...(await salvage()),
  ];
}

async function fullPace(): Promise<BenchRow[]> {
  await using folder = await tempFolder('bench');
  const streams = await recordedStreams(folder.path);
  await using cloud = await CloudProcess.serve(join(folder.path, 'cloud'));
  await using gateway = await MeasuredGateway.start(folder.path, { uplink: uplinkTo(cloud), streams });
  const isDone = (report: GatewayReport): boolean => haveEnded(report) && isEmpty(report);
  return await mostUntil('memory at full pace', gateway, isDone, `${whatIsRecorded}, to a cloud`);
}

/** All that comes pushes out what came before. */
async function eviction(): Promise<BenchRow[]> {
  await using folder = await tempFolder('bench');
  const streams = await recordedStreams(folder.path, { whenFull: 'drop' });
  const buffer = { limit: smallLimit, minFree: '1MB' };
  await using gateway = await MeasuredGateway.start(folder.path, { uplink: nowhere, buffer, streams });
  const on = `${whatIsRecorded}, no cloud, into a buffer of ${smallLimit}`;
  return await mostUntil('memory at the limit of the buffer', gateway, haveEnded, on);
}

async function live(): Promise<BenchRow[]> {
  await using folder = await tempFolder('bench');
  await using cloud = await CloudProcess.serve(join(folder.path, 'cloud'));
  const command = [process.execPath, bins.sim, 'stream', '--format', 'candump', '--rate', '2'];
  const streams = { can0: { source: 'command', command, format: 'candump' } };
  await using gateway = await MeasuredGateway.start(folder.path, { uplink: uplinkTo(cloud), streams });
  await new Promise((resolve) => setTimeout(resolve, liveSeconds * 1000));
  const on = `4,200 frames/s, connected, after ${liveSeconds} s`;
  return memoryRows('memory live', residentBytes(gateway.pid), anonymousBytes(gateway.pid), on);
}

async function drain(order: 'oldest-first' | 'newest-first'): Promise<BenchRow[]> {
  await using folder = await tempFolder('bench');
  await fillMeasuredBuffer(folder.path, backlogBytes, heldBatchBytes);
  await using cloud = await CloudProcess.serve(join(folder.path, 'cloud'));
  const uplink = { ...uplinkTo(cloud), backlog: { order } };
  await using gateway = await MeasuredGateway.start(folder.path, {
    uplink,
    buffer: roomyBuffer,
    streams: {},
  });
  return await mostUntil('memory while a backlog drains', gateway, isEmpty, `${whatIsHeld}, ${order}`);
}

async function salvage(): Promise<BenchRow[]> {
  await using folder = await tempFolder('bench');
  const batches = await fillMeasuredBuffer(folder.path, backlogBytes, heldBatchBytes);
  await truncate(join(folder.path, 'data/buffer/CURRENT'), 0);
  const config = { uplink: nowhere, buffer: roomyBuffer, streams: {} };
  await using gateway = await MeasuredGateway.start(folder.path, config);
  const isRescued = ({ streams }: GatewayReport): boolean =>
    streams.reduce((sum, stream) => sum + stream.batches, 0) >= batches;
  return await mostUntil('memory while a buffer is salvaged', gateway, isRescued, whatIsHeld);
}

const whatIsRecorded = `${recordings} recordings of ${driveSeconds} s at once, three of CAN frames, one as text`;
const whatIsHeld = `${backlogBytes / 1e9} GB in batches of ${heldBatchBytes} bytes`;

async function recordedStreams(folder: string, settings: object = {}): Promise<Record<string, object>> {
  const streams: Record<string, object> = {};
  for (let i = 0; i < recordings; i++) {
    const path = join(folder, `${i}.candump`);
    const drive = { seed: i, startUs: 1_700_000_000_000_000, durationUs: driveSeconds * 1e6, rate: 2 };
    await pipeline(Readable.from(candumpText(drive)), createWriteStream(path));
    const format = i === recordings - 1 ? 'lines' : 'candump';
    streams[`s${i}`] = { source: 'file', path, pace: 'max', format, ...settings };
  }
  return streams;
}

const haveEnded = ({ streams }: GatewayReport): boolean =>
  streams.every(({ source }) => source === undefined || source.condition === 'ended');
const isEmpty = ({ streams }: GatewayReport): boolean => streams.every(({ batches }) => batches === 0);

const uplinkTo = (cloud: CloudProcess): object => ({ url: `mqtt://127.0.0.1:${cloud.mqttPort}` });

async function mostUntil(
  name: string,
  gateway: MeasuredGateway,
  isDone: (report: GatewayReport) => boolean,
  on: string,
): Promise<BenchRow[]> {
  using own = new AnonymousPeak(gateway.pid);
  const startedMs = performance.now();
  await gateway.reports('it is done', isDone, waitMsMax);
  const seconds = Math.round((performance.now() - startedMs) / 1000);
  return memoryRows(`${name}, the most`, residentBytesPeak(gateway.pid), own.bytes, `${on}; ${seconds} s`);
}

/** The part of files is Node's program, mostly. */
const memoryRows = (name: string, resident: number, own: number, on: string): BenchRow[] => [
  { name, value: resident / 2 ** 20, unit: 'MiB', on: `${on}; resident` },
  { name: 'of that not of files', value: own / 2 ** 20, unit: 'MiB', on },
];
