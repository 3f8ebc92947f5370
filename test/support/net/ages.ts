import { join } from 'node:path';
import { decodeBatch } from '@fleetlog/shared/batch';
import { silentLogger } from '@fleetlog/shared/log';
import { systemClock } from '@fleetlog/shared/util';
import { openLog } from '#cloud/log/rocksdb-log.js';

/** How old the batches of a stream were when the log took them, ms; by their first record, and by their storing. */
export interface Ages {
  batches: number;
  bytes: number;
  recordMs: { p50: number; p99: number };
  storedMs: { p50: number; p99: number };
}

/** Reads the log of a cloud that has ended: batches that came from `fromUs` to `toUs`, of one stream or all. */
export async function readAges(
  cloudFolder: string,
  fromUs: number,
  toUs: number,
  streams: (stream: string) => boolean,
): Promise<Ages> {
  const recordMs: number[] = [];
  const storedMs: number[] = [];
  let bytesTaken = 0;
  await using log = await openLog({
    path: join(cloudFolder, 'log'),
    partitions: undefined,
    writeBufferBytes: 1 << 20,
    logger: silentLogger,
    clock: systemClock,
  });
  for (const { partition, first } of log.ends()) {
    for await (const { receiveTimeUs, bytes } of log.read(partition, first)) {
      const { header } = decodeBatch(bytes);
      if (!streams(header.stream) || receiveTimeUs < fromUs || receiveTimeUs >= toUs) continue;
      recordMs.push((receiveTimeUs - header.firstTimeUs) / 1000);
      storedMs.push((receiveTimeUs - header.storeTimeUs) / 1000);
      bytesTaken += bytes.length;
    }
  }
  return {
    batches: recordMs.length,
    bytes: bytesTaken,
    recordMs: quantiles(recordMs),
    storedMs: quantiles(storedMs),
  };
}

function quantiles(values: number[]): { p50: number; p99: number } {
  const sorted = Float64Array.from(values).sort();
  const at = (part: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? NaN;
  return { p50: at(0.5), p99: at(0.99) };
}
