import { join } from 'node:path';
import { decodeBatch } from '@fleetlog/shared/batch';
import { silentLogger } from '@fleetlog/shared/log';
import { systemClock } from '@fleetlog/shared/util';
import { LogClient } from '#cloud/client/index.js';
import { openLog } from '#cloud/log/rocksdb-log.js';
import { candumpText } from '#sim/vehicle/can-bus.js';
import { CloudProcess } from '../support/cloud-process.js';
import { append, candumpBatches, canBatch } from '../support/recorded.js';
import { ended, start } from '../support/run-command.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';
import type { BenchRow } from './row.js';

const rounds = 3;
const copies = 40;
const gateway = 'bench';
const framesPerBatch = 2000;
const replaySeconds = 20;
const framesPerSecond = 4000;

/** Programs that read the log: all of it, and once more in its time. */
export async function benchConsume(): Promise<BenchRow[]> {
  await using folder = await tempFolder('bench');
  const inProcess = await readLog(folder.path);
  await using cloud = await CloudProcess.serve(folder.path);
  await until(
    'the index has caught up',
    async () => {
      const status = (await (await fetch(`${cloud.httpUrl}/v1/status`)).json()) as {
        index: { lagBatches: number };
      };
      return status.index.lagBatches === 0;
    },
    600_000,
  );
  return [...inProcess, ...(await readOverHttp(cloud)), ...(await replayError(cloud))];
}

async function readLog(folder: string): Promise<BenchRow[]> {
  await using log = await openLog({ path: join(folder, 'log'), logger: silentLogger, clock: systemClock });
  const text = Buffer.concat([
    ...candumpText({ seed: 1, startUs: 1_700_000_000_000_000, durationUs: 300e6, rate: 2 }),
  ]);
  const batches = candumpBatches(text, { gateway }, framesPerBatch);
  for (let copy = 0; copy < copies; copy++) await append(log, batches, { gateway });
  const replayed = Array.from({ length: replaySeconds }, (_, second) =>
    canBatch(
      Array.from({ length: framesPerSecond }, (_, i) => 1_600_000_000_000_000 + second * 1e6 + i * 250),
      { gateway: 'replayed', sequence: second },
    ),
  );
  await append(log, replayed, { gateway: 'replayed' });
  const partition = log.partitionOf(gateway);
  const results: { frames: number; bytes: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    const started = performance.now();
    let frames = 0;
    let bytes = 0;
    for await (const entry of log.read(partition, 0)) {
      frames += decodeBatch(entry.bytes).header.recordCount;
      bytes += entry.bytes.length;
    }
    const seconds = (performance.now() - started) / 1000;
    results.push({ frames: frames / seconds, bytes: bytes / seconds });
  }
  const { frames, bytes } = median(results);
  const on = `${copies * batches.length} batches of ${framesPerBatch} frames, checksums checked; median of ${rounds}`;
  return [
    { name: 'log read in the process, frames', value: frames, unit: 'frames/s', on },
    { name: 'log read in the process, bytes', value: bytes / 1e6, unit: 'MB/s', on: 'the same' },
  ];
}

async function readOverHttp(cloud: CloudProcess): Promise<BenchRow[]> {
  const log = new LogClient(cloud.httpUrl);
  const results: { frames: number; bytes: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    const started = performance.now();
    let frames = 0;
    let bytes = 0;
    for await (const batch of log.read({ group: `round-${round}`, from: 'earliest', untilEnd: true })) {
      frames += batch.header.recordCount;
      bytes += batch.bytes.length;
    }
    const seconds = (performance.now() - started) / 1000;
    results.push({ frames: frames / seconds, bytes: bytes / seconds });
  }
  const { frames, bytes } = median(results);
  const on = `the client in this process, checksums checked, committing; median of ${rounds}`;
  return [
    { name: 'consumer over HTTP, frames', value: frames, unit: 'frames/s', on },
    { name: 'consumer over HTTP, bytes', value: bytes / 1e6, unit: 'MB/s', on: 'the same' },
  ];
}

async function replayError(cloud: CloudProcess): Promise<BenchRow[]> {
  const parameters = ['--json', 'replay', '--gateway', 'replayed', '--to', 'candump:/dev/null'];
  const { stderr } = await ended(
    start('cloud/dist/cli/fleetlog-bin.js', parameters, { FLEETLOG_URL: cloud.httpUrl }),
  );
  const { pacingErrorMs } = JSON.parse(stderr) as {
    pacingErrorMs: { p50: number; p99: number; max: number };
  };
  const on = `${framesPerSecond} frames/s for ${replaySeconds} s at speed 1, to a file, cloud beside it`;
  return [
    { name: 'replay: distance from its time, median', value: pacingErrorMs.p50, unit: 'ms', on },
    { name: 'replay: distance from its time, 99 %', value: pacingErrorMs.p99, unit: 'ms', on: 'the same' },
    { name: 'replay: distance from its time, largest', value: pacingErrorMs.max, unit: 'ms', on: 'the same' },
  ];
}

const median = <T extends { frames: number }>(results: T[]): T =>
  results.toSorted((a, b) => a.frames - b.frames)[results.length >> 1];
