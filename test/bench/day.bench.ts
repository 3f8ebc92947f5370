import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CandumpParser, encodeCan, CanFrames } from '@fleetlog/shared/can';
import { candumpText } from '#sim/vehicle/can-bus.js';
import { parseCandump } from '../support/candump-text.js';
import { measuredBuffer } from '../support/filled-buffer.js';
import { fordSeconds } from '../support/ford-seconds.js';
import { tempFolder } from '../support/temp-folder.js';
import { isLong, type BenchRow } from './row.js';

const fullDayFrames = 345_600_000;
const frames = isLong ? fullDayFrames : fullDayFrames / 20;
const startUs = 1_700_000_000_000_000;
const driveSeconds = 120;
const blockBytes = 512;

/**
 * What a day of one full bus, 4,000 frames/s, takes of the disk while there is no cloud: so many frames of it are
 * encoded second by second and put into a real buffer, as fast as that goes.
 */
export async function benchDay(): Promise<BenchRow[]> {
  const ford = fordSeconds();
  return [
    await day(generatedSeconds(), `generated drive of ${driveSeconds} s, again and again`),
    ...(ford
      ? [await day(fullSeconds(ford), 'two Ford recordings at twice their speed, again and again')]
      : []),
  ];
}

/** `seconds`: batches of a second of event time each. */
async function day(seconds: CanFrames[], on: string): Promise<BenchRow> {
  await using folder = await tempFolder('bench');
  const startedMs = performance.now();
  let put = 0;
  {
    await using buffer = await measuredBuffer(folder.path);
    for (let second = 0; put < frames; second++) {
      const batch = seconds[second % seconds.length];
      batch.baseTimeUs = startUs + second * 1e6;
      await buffer.put('can0', { payload: encodeCan(batch), origin: 'live' });
      put += batch.count;
    }
  }
  const data = join(folder.path, 'data');
  const ofBatches = await allocatedBytes(join(data, 'buffer'));
  const beside = (await allocatedBytes(data)) - ofBatches; // the mark and the ballast, which don't grow
  const share =
    put < fullDayFrames ? `extrapolated from ${put / 1e6} M frames` : `${Math.round(put / 1e6)} M frames`;
  const tookSeconds = Math.round((performance.now() - startedMs) / 1000);
  return {
    name: 'a day of a full bus, without a cloud',
    value: ((ofBatches / put) * fullDayFrames + beside) / 1e9,
    unit: 'GB on disk',
    on: `4,000 frames/s, ${share}: ${on}; written in ${tookSeconds} s`,
  };
}

function generatedSeconds(): CanFrames[] {
  const text = Buffer.concat([...candumpText({ seed: 1, startUs, durationUs: driveSeconds * 1e6, rate: 2 })]);
  const parser = new CandumpParser();
  parser.spanUs = 999_999;
  return parseCandump(text.toString('latin1'), parser).batches;
}

/** Two seconds of a bus that is half full as one of a full one. */
function fullSeconds(seconds: CanFrames[]): CanFrames[] {
  const full: CanFrames[] = [];
  for (let i = 0; i + 1 < seconds.length; i += 2) {
    const both = new CanFrames();
    const bus = both.busIndex('can0');
    for (const [half, frames] of [seconds[i], seconds[i + 1]].entries()) {
      for (let f = 0; f < frames.count; f++) {
        const timeUs = startUs + half * 500_000 + Math.round((frames.timeUs(f) - frames.timeUs(0)) / 2);
        const [from, to] = [frames.dataStart[f], frames.dataStart[f + 1]];
        both.append(timeUs, frames.id[f], frames.flags[f], frames.dlc[f], bus, frames.data, from, to - from);
      }
    }
    full.push(both);
  }
  return full;
}

/** As `du` counts. */
async function allocatedBytes(folder: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(folder, { recursive: true })) {
    bytes += (await stat(join(folder, name))).blocks * blockBytes;
  }
  return bytes;
}
