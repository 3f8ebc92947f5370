import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { CloudProcess } from '../support/cloud-process.js';
import { startLoad } from '../support/load-generator.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';
import type { BenchRow } from './row.js';

/** FLEETLOG_BENCH=long: longer loads, and a log of ten million batches. */
const isLong = process.env['FLEETLOG_BENCH'] === 'long';
const loadSeconds = isLong ? 60 : 10;
const [fewBatches, manyBatches] = isLong ? [1_000_000, 10_000_000] : [20_000, 200_000];
const restarts = 5;

/** Gateways to acknowledgement through a whole cloud, and a start of one with much in its log. */
export async function benchIngest(): Promise<BenchRow[]> {
  return [...(await acknowledged()), ...(await fullLog())];
}

async function acknowledged(): Promise<BenchRow[]> {
  await using folder = await tempFolder('bench');
  await using cloud = await CloudProcess.serve(join(folder.path, 'data'));
  const cpuBefore = cpuSeconds(cloud.pid);
  const load = await startLoad({
    host: '127.0.0.1',
    port: cloud.mqttPort,
    gateways: 20,
    window: 64,
    framesPerBatch: 2000,
    warmUpSeconds: 3,
    seconds: loadSeconds,
    run: 1,
  });
  const cpu = (cpuSeconds(cloud.pid) - cpuBefore) / (load.seconds + 3);
  const on =
    `${loadSeconds} s, 20 connections with 64 batches unacknowledged each, 2,000 frames and ` +
    `${Math.round(load.bytes / load.batches).toLocaleString('en')} bytes a batch, index following; ` +
    `cloud ${cpu.toFixed(2)} cores, generator in another process ${load.cpuShare.toFixed(2)}`;
  return [
    { name: 'acknowledged after fsync', value: load.frames / load.seconds, unit: 'frames/s', on },
    {
      name: 'acknowledged after fsync',
      value: load.batches / load.seconds,
      unit: 'batches/s',
      on: 'the same',
    },
    {
      name: 'sent to acknowledged, median',
      value: load.latencyMs.p50,
      unit: 'ms',
      on: 'the same, windows full',
    },
    {
      name: 'sent to acknowledged, 99 %',
      value: load.latencyMs.p99,
      unit: 'ms',
      on: 'the same, windows full',
    },
    { name: 'memory of the cloud after it', value: rssMiB(cloud.pid), unit: 'MiB', on: 'the same, resident' },
  ];
}

async function fullLog(): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  await using folder = await tempFolder('bench');
  const data = join(folder.path, 'data');
  let filled = 0;
  for (const batches of [0, fewBatches, manyBatches]) {
    await fill(data, batches - filled, filled);
    filled = batches;
    await letIndexCatchUp(data);
    const readyMs: number[] = [];
    const memoryMiB: number[] = [];
    for (let i = 0; i < restarts; i++) {
      const startedMs = performance.now();
      const cloud = await CloudProcess.serve(data);
      readyMs.push(performance.now() - startedMs);
      await fetch(`${cloud.httpUrl}/v1/streams`);
      memoryMiB.push(rssMiB(cloud.pid));
      await cloud.kill('SIGTERM');
    }
    const on = `${batches.toLocaleString('en')} small batches in the log; whole process, median of ${restarts}`;
    rows.push({ name: 'start to ready', value: median(readyMs), unit: 'ms', on });
    rows.push({ name: 'memory of the cloud once started', value: median(memoryMiB), unit: 'MiB', on });
  }
  return rows;
}

async function fill(data: string, count: number, from: number): Promise<void> {
  const child = fileURLToPath(new URL('../support/fill-log.js', import.meta.url));
  if (count > 0) await promisify(execFile)(process.execPath, [child, data, String(count), String(from)]);
}

async function letIndexCatchUp(data: string): Promise<void> {
  await using cloud = await CloudProcess.serve(data);
  await until('the index has caught up', async () => (await lag(cloud)) === 0, 3_600_000);
}

async function lag(cloud: CloudProcess): Promise<number> {
  const status = (await (await fetch(`${cloud.httpUrl}/v1/status`)).json()) as {
    index: { lagBatches: number };
  };
  return status.index.lagBatches;
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1];

const rssMiB = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

/** User and system time of a process, from the clock ticks (100 a second) that Linux counts. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
