import { join } from 'node:path';
import { systemClock } from '@fleetlog/shared/util';
import type { GatewayReport } from '#gateway/control/status.js';
import { CloudProcess } from '../support/cloud-process.js';
import { bins } from '../support/chaos/process.js';
import { imuPacket } from '../support/imu-packet.js';
import { MeasuredGateway } from '../support/measured-gateway.js';
import { cpuMsOf } from '../support/process-cpu.js';
import { hasSocat, SerialLine, whyNoSocat } from '../support/serial-line.js';
import { tempFolder } from '../support/temp-folder.js';
import type { BenchRow } from './row.js';

const RATE_HZ = 1000;
const WARM_UP_MS = 4000;
const MEASURE_MS = 15_000;

/**
 * The whole gateway (serial port, packets, times, buffer with fsync, uplink to a cloud) on a sensor of 12 channels at 1 kHz,
 * which speaks through a pseudo-terminal.
 */
export async function benchSensor(): Promise<BenchRow[]> {
  if (!hasSocat) {
    console.log(`sensor: ${whyNoSocat}`);
    return [];
  }
  await using folder = await tempFolder('sensor');
  await using cloud = await CloudProcess.serve(join(folder.path, 'cloud'));
  const sensor = `${process.execPath} ${bins.sim} stream --format imu --sensor-rate ${RATE_HZ} --seed 1`;
  await using line = new SerialLine(folder.path, sensor);
  await line.plug();
  await using gateway = await MeasuredGateway.start(folder.path, {
    uplink: { url: `mqtt://127.0.0.1:${cloud.mqttPort}` },
    streams: {
      imu: { source: 'serial', path: line.port, baud: 921_600, format: 'packets', packet: imuPacket },
    },
  });
  const source = async (): Promise<NonNullable<GatewayReport['streams'][number]['source']>> =>
    (await gateway.report())!.streams.find(({ stream }) => stream === 'imu')!.source!;
  await gateway.reports(
    'the sensor is heard',
    ({ streams }) => streams.some((of) => of.stream === 'imu' && (of.source?.records ?? 0) > RATE_HZ),
    60_000,
  );
  await systemClock.sleep(WARM_UP_MS);
  const before = { cpuMs: cpuMsOf(gateway.pid), records: (await source()).records, atMs: performance.now() };
  await systemClock.sleep(MEASURE_MS);
  const tookMs = performance.now() - before.atMs;
  const cpuMs = cpuMsOf(gateway.pid) - before.cpuMs;
  const { records, malformed, noiseBytes = 0 } = await source();
  const reached = ((records - before.records) * 1000) / tookMs;
  const on = `12 channels and a counter of 32 bytes in COBS at 921,600 baud on a pseudo-terminal, fsync, uplink; ${Math.round(reached)} a second reached`;
  return [
    { name: 'gateway, sensor of 12 channels, 1 kHz', value: (100 * cpuMs) / tookMs, unit: '% of a core', on },
    { name: 'gateway, sensor of 12 channels, wrong', value: malformed + noiseBytes, unit: 'packets', on },
  ];
}
