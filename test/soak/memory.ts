import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { GatewayReport } from '#gateway/control/status.js';
import { bins } from '../support/chaos/process.js';
import { CloudProcess } from '../support/cloud-process.js';
import { MeasuredGateway } from '../support/measured-gateway.js';
import { residentBytes } from '../support/resident.js';
import { leastOfEach, slopePerHour, type Sample } from '../support/slope.js';

const help = `npm run soak:memory -- [--minutes 30] [--warm-up 10] [--limit 2]

A gateway on a live bus of 4,000 frames/s with GPS, and its cloud, and what they take of the
memory, a line a minute: the least of the minute, so that garbage doesn't count. At the end how much that grew after
the warm-up; exit status 1 where the gateway grew faster than the limit.

  --minutes N   how long (30)
  --warm-up N   minutes that don't count (10)
  --limit N     most that the gateway may grow, MiB an hour (2)
`;

const text = { type: 'string' } as const;
const { values } = parseArgs({
  options: { minutes: text, 'warm-up': text, limit: text, help: { type: 'boolean', short: 'h' } },
});
if (values.help) {
  console.log(help);
  process.exit(0);
}
const minutes = Number(values.minutes ?? 30);
const warmUp = Number(values['warm-up'] ?? 10);
const limitMiB = Number(values.limit ?? 2);
if (!(minutes > 0 && warmUp >= 0 && minutes - warmUp >= 2 && limitMiB > 0)) {
  console.error('Give --minutes at least 2 more than --warm-up, and --limit something above 0.');
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
let connected = true;
{
  await using cloud = await CloudProcess.serve(join(folder, 'cloud'));
  endWithUs(cloud.pid);
  const sim = (...args: string[]): object => ({
    source: 'command',
    command: [process.execPath, bins.sim, 'stream', ...args],
  });
  await using gateway = await MeasuredGateway.start(folder, {
    uplink: { url: `mqtt://127.0.0.1:${cloud.mqttPort}` },
    streams: {
      can0: { ...sim('--format', 'candump', '--rate', '2'), format: 'candump' },
      gps0: { ...sim('--format', 'nmea'), format: 'lines' },
    },
  });
  endWithUs(gateway.pid);
  await gateway.reports('the gateway is connected', ({ uplink }) => uplink?.connected === true, 60_000);
  console.log('minute  gateway MiB  its heap  cloud MiB  records');
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
    const records = report?.streams.reduce((sum, { recordsPut }) => sum + recordsPut, 0) ?? 0;
    console.log(
      `${String(minute).padStart(6)}  ${own.padStart(11)}  ${heap.padStart(8)}  ${its.padStart(9)}  ${records}`,
    );
  }
}
await rm(folder, { recursive: true, force: true });

console.log(`\nGrowth from minute ${warmUp} to ${minutes}:`);
const growth = Object.entries(series).map(([name, samples]) => {
  const settled = leastOfEach(samples, 1 / 60).filter(({ hours }) => hours >= warmUp / 60);
  const mebibytes = slopePerHour(settled) / MiB;
  console.log(`${name.padEnd(18)} ${mebibytes.toFixed(2).padStart(8)} MiB an hour`);
  return mebibytes;
});
if (!connected) console.log('The gateway lost its cloud meanwhile.');
process.exit(growth[0] > limitMiB || growth[1] > limitMiB || !connected ? 1 : 0);
