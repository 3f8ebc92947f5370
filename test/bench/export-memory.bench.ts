import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { candumpText } from '#sim/vehicle/can-bus.js';
import { formats, type FormatName } from '#cloud/export/formats.js';
import { CloudProcess } from '../support/cloud-process.js';
import { residentBytesPeak } from '../support/resident.js';
import { ended, start } from '../support/run-command.js';
import { tempFolder } from '../support/temp-folder.js';
import type { BenchRow } from './row.js';

const startUs = 1_790_000_000_000_000;
/** Some 2,100 frames a second. */
const wholeSeconds = 1200;
const tenthSeconds = wholeSeconds / 10;
/** Until the heap has the size that an export of any length takes. */
const rounds = 6;

/** How much memory a cloud takes at most while it exports: a tenth of a drive a few times, then all of it. */
export async function benchExportMemory(): Promise<BenchRow[]> {
  await using folder = await tempFolder('export-memory');
  const path = join(folder.path, 'drive.candump');
  await pipeline(
    candumpText({ seed: 5, startUs, durationUs: wholeSeconds * 1e6, rate: 1 }),
    createWriteStream(path),
  );
  const rows: BenchRow[] = [];
  for (const format of Object.keys(formats) as FormatName[]) {
    const { kinds }: { kinds: readonly string[] } = formats[format];
    if (!kinds.includes('can')) continue;
    await using cloud = await CloudProcess.serve(join(folder.path, format));
    const parameters = ['import', path, '--gateway', 'truck-17', '--stream', 'can0'];
    await ended(start('cloud/dist/cli/fleetlog-bin.js', parameters, { FLEETLOG_URL: cloud.httpUrl }));
    for (let round = 0; round < rounds; round++) await exported(cloud, format, tenthSeconds);
    const tenthBytes = residentBytesPeak(cloud.pid);
    await exported(cloud, format, wholeSeconds);
    const wholeBytes = residentBytesPeak(cloud.pid);
    rows.push({
      name: `memory of a cloud that exports ${format}`,
      value: wholeBytes / 1e6,
      unit: 'MB at most',
      on: `${wholeSeconds} s of a bus; ${(wholeBytes / tenthBytes).toFixed(2)} times that of a tenth of it`,
    });
  }
  return rows;
}

async function exported(cloud: CloudProcess, format: FormatName, seconds: number): Promise<void> {
  const query = `gateway=truck-17&stream=can0&format=${format}&to=${startUs / 1e6 + seconds}`;
  const answer = await fetch(`${cloud.httpUrl}/v1/export?${query}`);
  let bytes = 0;
  for await (const chunk of answer.body!) bytes += chunk.length;
  if (!answer.ok || bytes < 1e6) throw new Error(`${format}: ${answer.status}, ${bytes} bytes`);
}
