import { spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '@fleetlog/shared/util';
import { askGateway } from '#gateway/control/client.js';
import { controlSocketPath } from '#gateway/control/protocol.js';
import type { GatewayReport } from '#gateway/control/status.js';
import { CloudProcess } from '../support/cloud-process.js';
import { cpuMsOf } from '../support/process-cpu.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';
import type { BenchRow } from './row.js';
import { benchSensor } from './sensor.bench.js';

const MEASURE_MS = 10_000;
const WARM_UP_MS = 4000;
const BURST_MS = 5;
const IDS = 75;
const bin = fileURLToPath(new URL('../../../gateway/dist/cli/bin.js', import.meta.url));
const hook = new URL('../support/udp-libc-hook.js', import.meta.url).href;

/**
 * The whole gateway (capture, statistics, encoding, buffer with fsync, uplink to a cloud) on live frames. Most kernels
 * without CAN hardware have no CAN either, so frames come as UDP datagrams on the loopback: all but the protocol is the
 * same, recvmmsg, kernel time stamps and drop counts included.
 */
export async function benchCapture(): Promise<BenchRow[]> {
  return [
    ...(await measure({ buses: 2, framesPerSecond: 8000, frameBytes: 16 })),
    ...(await measure({ buses: 1, framesPerSecond: 20_000, frameBytes: 72 })),
    ...(await measure({ buses: 1, framesPerSecond: 4000, frameBytes: 16 })),
    ...(await benchSensor()),
  ];
}

interface Load {
  buses: number;
  framesPerSecond: number;
  frameBytes: 16 | 72;
}

async function measure({ buses, framesPerSecond, frameBytes }: Load): Promise<BenchRow[]> {
  await using folder = await tempFolder('capture');
  await using cloud = await CloudProcess.serve(join(folder.path, 'cloud'));
  const data = join(folder.path, 'data');
  const config = join(folder.path, 'truck.yaml');
  const names = Array.from({ length: buses }, (_, i) => `can${i}`);
  const streams = Object.fromEntries(
    names.map((name) => [name, { source: 'socketcan', interface: 'lo', bitrate: 1e6 }]),
  );
  const url = `mqtt://${/mqtt=(\S+)/.exec(cloud.stdout)![1]}`;
  writeFileSync(config, JSON.stringify({ gateway: 'bench', data, uplink: { url }, streams }));
  const firstPort = 20_000 + (process.pid % 20_000);
  const gateway = spawn(
    process.execPath,
    ['--import', hook, bin, '--config', config, '--log-level', 'error'],
    {
      env: { ...process.env, FLEETLOG_BENCH_PORT: `${firstPort}` },
      stdio: 'inherit',
    },
  );
  const sockets: Socket[] = names.map(() => createSocket('udp4'));
  const sender = new Sender(sockets, firstPort, frameBytes);
  try {
    const status = async (): Promise<GatewayReport> =>
      (await askGateway(controlSocketPath(data), 'status')) as GatewayReport;
    await until('it runs', async () => (await status()) !== undefined, 60_000);
    const recordsOf = ({ streams: all }: GatewayReport): number[] =>
      all.flatMap(({ source }) => source?.records ?? []);
    await until(
      'each bus is heard',
      async () => {
        sender.probe();
        await systemClock.sleep(100);
        return recordsOf(await status()).filter((records) => records > 0).length === buses;
      },
      60_000,
    );
    await systemClock.sleep(1500);
    const probes = recordsOf(await status()).reduce((sum, records) => sum + records, 0);
    const startMs = performance.now();
    const timer = setInterval(
      () => sender.sendUpTo(((performance.now() - startMs) / 1000) * framesPerSecond),
      BURST_MS,
    );
    await systemClock.sleep(WARM_UP_MS);
    const before = { cpuMs: cpuMsOf(gateway.pid!), sent: sender.sent, atMs: performance.now() };
    await systemClock.sleep(MEASURE_MS);
    const seconds = (performance.now() - before.atMs) / 1000;
    const cpuShare = (cpuMsOf(gateway.pid!) - before.cpuMs) / 1000 / seconds;
    const reached = ((sender.sent - before.sent) * buses) / seconds;
    clearInterval(timer);
    await systemClock.sleep(1500);
    const { streams: reports } = await status();
    const dropped = reports.reduce((sum, { source }) => sum + (source?.overruns ?? 0), 0);
    const records = reports.reduce((sum, { source }) => sum + (source?.records ?? 0), 0);
    const missing = probes + sender.sent * buses - records - dropped;
    const on = `${buses} × ${framesPerSecond} frames/s of ${frameBytes} bytes over UDP, ${IDS} identifiers, fsync, uplink; ${Math.round(reached)} a second reached`;
    return [
      {
        name: `gateway, live, ${buses} × ${framesPerSecond} frames/s`,
        value: 100 * cpuShare,
        unit: '% of a core',
        on,
      },
      { name: `gateway, live, ${buses} × ${framesPerSecond}, dropped`, value: dropped, unit: 'frames', on },
      {
        name: `gateway, live, ${buses} × ${framesPerSecond}, unaccounted`,
        value: missing,
        unit: 'frames',
        on,
      },
    ];
  } finally {
    for (const socket of sockets) socket.close();
    const exited = once(gateway, 'exit');
    gateway.kill('SIGTERM');
    await exited;
  }
}

/** Sends the same number of frames to each port. */
class Sender {
  sent = 0;

  constructor(
    private readonly sockets: readonly Socket[],
    private readonly firstPort: number,
    private readonly frameBytes: 16 | 72,
  ) {}

  sendUpTo(count: number): void {
    for (; this.sent < count; this.sent++) this.probe();
  }

  /** A frame to each port, which isn't counted. */
  probe(): void {
    this.sockets.forEach((socket, i) => socket.send(this.frame(this.sent), this.firstPort + i, '127.0.0.1'));
  }

  /** struct can_frame, or canfd_frame with bit rate switch: half of the data changes. */
  private frame(number: number): Buffer {
    const frame = Buffer.alloc(this.frameBytes);
    frame.writeUInt32LE((number % IDS) * 23 + 64, 0);
    frame[4] = this.frameBytes - 8;
    frame[5] = this.frameBytes === 72 ? 1 : 0;
    frame.writeUInt32LE(Math.imul(number, 0x9e37_79b1) >>> 0, 8);
    return frame;
  }
}
