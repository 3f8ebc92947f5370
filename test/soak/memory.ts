import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { GatewayReport } from '#gateway/control/status.js';
import { bins } from '../support/chaos/process.js';
import { CloudProcess } from '../support/cloud-process.js';
import { MeasuredGateway } from '../support/measured-gateway.js';
import { residentBytes } from '../support/resident.js';
import { leastOfEach, trendOf, type Sample } from '../support/slope.js';

const help = `npm run soak:memory -- [--minutes 30] [--warm-up 10] [--limit 2] [--fast]

A gateway on a live bus of 4,000 frames/s with GPS, and its cloud, and what they take of the
memory, a line a minute: the least of the minute, so that garbage doesn't count. At the end how much that grew an hour
after the warm-up, and between which limits that is with a certainty of 95 %. Exit status 1 where the gateway surely
grew faster than the limit, 3 where it can't be told yet: run it longer, or --fast.

  --minutes N   how long (30)
  --warm-up N   minutes that don't count (10)
  --limit N     most that the gateway may grow, MiB an hour (2; with --fast 50 times as much)
  --fast        batches of 40 frames: 50 times as many of them, so that what grows with each grows as fast
`;

const text = { type: 'string' } as const;
const { values } = parseArgs({
  options: {
    minutes: text,
    'warm-up': text,
    limit: text,
    fast: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  },
});
if (values.help) {
  console.log(help);
  process.exit(0);
}
const fast = values.fast ?? false;
const minutes = Number(values.minutes ?? 30);
const warmUp = Number(values['warm-up'] ?? 10);
const limitMiB = Number(values.limit ?? (fast ? 100 : 2));
if (!(minutes > 0 && warmUp >= 0 && minutes - warmUp >= 5 && limitMiB > 0)) {
  console.error('Give --minutes at least 5 more than --warm-up, and --limit something above 0.');
  process.exit(2);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

/** With us ends what we started. */
function endWithUs(pid: number): void {
  process.once('exit', () => {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      return; // it has ended
    }
  });
}

const sampleMs = 2000;
const MiB = 2 ** 20;
const folder = await mkdtemp(join(tmpdir(), 'fleetlog-soak-memory-'));
const series = { 'gateway, resident': [], 'gateway, heap': [], 'cloud, resident': [] } as Record<
  string,
  Sample[]
>;
// Small ones: memory that fills with batches until it is written to a table is no growth.
const writeBuffer = '512KiB';
const cloudConfig = join(folder, 'cloud.yaml');
await writeFile(cloudConfig, JSON.stringify({ log: { writeBuffer } })); // JSON is YAML
let connected = true;
{
  await using cloud = await CloudProcess.serve(join(folder, 'cloud'), '--config', cloudConfig);
  endWithUs(cloud.pid);
  const sim = (...args: string[]): object => ({
    source: 'command',
    command: [process.execPath, bins.sim, 'stream', ...args],
  });
  await using gateway = await MeasuredGateway.start(folder, {
    uplink: { url: `mqtt://127.0.0.1:${cloud.mqttPort}` },
    buffer: { writeBuffer },
    streams: {
      can0: {
        ...sim('--format', 'candump', '--rate', '2'),
        format: 'candump',
        ...(fast && { batch: { records: 40 } }),
      },
      gps0: { ...sim('--format', 'nmea'), format: 'lines' },
    },
  });
  endWithUs(gateway.pid);
  await gateway.reports('the gateway is connected', ({ uplink }) => uplink?.connected === true, 60_000);
  console.log('minute  gateway MiB  its heap  cloud MiB  batches');
  const startMs = performance.now();
  for (let minute = 1; minute <= minutes; minute++) {
    let report: GatewayReport | undefined;
    while (performance.now() - startMs < minute * 60_000) {
      await new Promise((resolve) => setTimeout(resolve, sampleMs));
      report = await gateway.report();
      if (!report?.memory) throw new Error('The gateway says nothing of its memory.');
      connected &&= report.uplink?.connected === true;
      const hours = (performance.now() - startMs) / 3_600_000;
      series['gateway, resident'].push({ hours, bytes: report.memory.residentBytes });
      series['gateway, heap'].push({ hours, bytes: report.memory.heapBytes });
      series['cloud, resident'].push({ hours, bytes: residentBytes(cloud.pid) });
    }
    const least = Object.values(series).map((samples) => leastOfEach(samples, 1 / 60).at(-1)?.bytes ?? 0);
    const [own, heap, its] = least.map((bytes) => (bytes / MiB).toFixed(1));
    const batches = report?.streams.reduce((sum, { next }) => sum + next, 0) ?? 0;
    console.log(
      `${String(minute).padStart(6)}  ${own.padStart(11)}  ${heap.padStart(8)}  ${its.padStart(9)}  ${batches}`,
    );
  }
}
await rm(folder, { recursive: true, force: true });

console.log(
  `\nGrowth from minute ${warmUp} to ${minutes}, MiB an hour, and its limits with a certainty of 95 %:`,
);
const growth = Object.entries(series).map(([name, samples]) => {
  const trend = trendOf(leastOfEach(samples, 1 / 60).filter(({ hours }) => hours >= warmUp / 60));
  const [least, likely, most] = [trend.low, trend.perHour, trend.high].map((bytes) => bytes / MiB);
  console.log(
    `${name.padEnd(18)} ${likely.toFixed(1).padStart(7)}  (${least.toFixed(1)} to ${most.toFixed(1)})`,
  );
  return { least, most };
});
const ofGateway = growth.slice(0, 2);
const grows = ofGateway.some(({ least }) => least > limitMiB);
const isCertain = ofGateway.every(({ most }) => most <= limitMiB);
if (!connected) console.log('The gateway lost its cloud meanwhile.');
if (grows) console.log(`The gateway grows by more than ${limitMiB} MiB an hour.`);
else if (!isCertain) console.log(`Whether it grows by more than ${limitMiB} MiB an hour can't be told yet.`);
process.exit(grows || !connected ? 1 : isCertain ? 0 : 3);
