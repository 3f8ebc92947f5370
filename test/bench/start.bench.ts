import { readFileSync, writeFileSync } from 'node:fs';
import { fillMeasuredBuffer, nowhere, roomyBuffer } from '../support/filled-buffer.js';
import { MeasuredGateway } from '../support/measured-gateway.js';
import { residentBytes } from '../support/resident.js';
import { tempFolder } from '../support/temp-folder.js';
import { isLong, type BenchRow } from './row.js';

const bytes = isLong ? 10e9 : 1e9;
const starts = 7;
const heldBatchBytes = 20_000;
const waitMsMax = 120_000;
const tickMs = 10;

/** How long a gateway takes to start with a full buffer, the whole process, from files in memory and from the disk. */
export async function benchStart(): Promise<BenchRow[]> {
  await using folder = await tempFolder('bench');
  await fillMeasuredBuffer(folder.path, bytes, heldBatchBytes);
  await measure(folder.path); // the first one writes what the fill left in its log to a table
  const rows = rowsOf('files in memory', await times(folder.path, () => {}));
  return canForget()
    ? [...rows, ...rowsOf('files on the disk only', await times(folder.path, forget))]
    : rows;
}

interface Start {
  readyMs: number;
  processorMs: number;
  residentBytes: number;
}

async function times(folder: string, before: () => void): Promise<Start[]> {
  const all: Start[] = [];
  for (let i = 0; i < starts; i++) {
    before();
    all.push(await measure(folder));
  }
  return all;
}

async function measure(folder: string): Promise<Start> {
  const startedMs = performance.now();
  const streams = { can0: { source: 'command', command: ['sleep', '600'], format: 'candump' } };
  const config = { uplink: nowhere, buffer: roomyBuffer, streams };
  await using gateway = await MeasuredGateway.start(folder, config);
  const captures = ({ streams: all }: { streams: { source?: { condition: string } }[] }): boolean =>
    all.some(({ source }) => source?.condition === 'running');
  await gateway.reports('it captures and answers', captures, waitMsMax);
  return {
    readyMs: performance.now() - startedMs,
    processorMs: processorMs(gateway.pid),
    residentBytes: residentBytes(gateway.pid),
  };
}

/** User and system time of a process, all threads. */
function processorMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * tickMs;
}

const dropCaches = '/proc/sys/vm/drop_caches';

/** Only root may have the system forget what it read. */
function canForget(): boolean {
  try {
    forget();
    return true;
  } catch {
    return false;
  }
}

const forget = (): void => writeFileSync(dropCaches, '3');

function rowsOf(where: string, all: Start[]): BenchRow[] {
  const on = `${bytes / 1e9} GB in the buffer, ${where}; whole process, until it captures and answers; median of ${starts}`;
  return [
    { name: 'start to ready', value: median(all.map((s) => s.readyMs)), unit: 'ms', on },
    { name: 'processor time of that', value: median(all.map((s) => s.processorMs)), unit: 'ms', on },
    {
      name: 'memory once started',
      value: median(all.map((s) => s.residentBytes)) / 2 ** 20,
      unit: 'MiB',
      on,
    },
  ];
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1];
