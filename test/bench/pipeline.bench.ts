import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CandumpFormatter, CandumpParser, CanFrames, lineResult } from '@fleetlog/shared/can';
import { silentLogger } from '@fleetlog/shared/log';
import { systemClock } from '@fleetlog/shared/util';
import { CanStatistics } from '#gateway/bus/can-statistics.js';
import { createSource } from '#gateway/sources/create.js';
import { noEvents } from '../support/source-options.js';
import { keeperOn } from '../support/keeper.js';
import type { BenchRow } from './row.js';

const FRAMES = 200_000;
const ROUNDS = 15;

/** Text as of a busy 500 kbit/s bus: 75 identifiers, 8 bytes each, 2,000 frames/s. */
function busyBus(frames: number): Uint8Array {
  const lines = Array.from({ length: frames }, (_, i) => {
    const time = (1_700_000_000 + i / 2000).toFixed(6);
    const id = ((i % 75) * 23 + 64).toString(16).toUpperCase().padStart(3, '0');
    const data = (BigInt(i) * 2_654_435_761n).toString(16).toUpperCase().padStart(16, '0').slice(-16);
    return `(${time}) can0 ${id}#${data}\n`;
  });
  return Buffer.from(lines.join(''));
}

/** From text to columns and back, and from a file to sealed batches, one core. */
export async function benchParse(): Promise<BenchRow[]> {
  const text = busyBus(FRAMES);
  const on = `${FRAMES} generated candump lines of 46 bytes, batches of one second`;
  const parser = new CandumpParser();
  parser.spanUs = 1e6;
  const formatter = new CandumpFormatter();
  const frames = new CanFrames();
  const parse: number[] = [];
  const format: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    let formatMs = 0;
    const start = performance.now();
    for (let at = 0; at < text.length;) {
      const result = parser.parseLine(text, at, frames);
      if (result === lineResult.ok) at = parser.lineEnd;
      if (result !== lineResult.seal && at < text.length) continue;
      const formatStart = performance.now();
      formatter.format(frames);
      formatMs += performance.now() - formatStart;
      frames.clear();
    }
    parse.push(FRAMES / (performance.now() - start - formatMs));
    format.push(FRAMES / formatMs);
  }
  const row = (name: string, perMs: number[], what = on): BenchRow => ({
    name,
    value: perMs.sort((a, b) => a - b)[perMs.length >> 1] * 1000,
    unit: 'frames/s',
    on: what,
  });
  return [
    row('candump text to columns', parse),
    row('columns to candump text', format),
    row('CAN statistics of columns', benchStatistics(text), `${on}, 75 identifiers`),
    row('candump file to sealed batches', await benchFile(text), `${on}, encoding included, nothing stored`),
  ];
}

/** What `status --ids` and the metrics cost while frames are captured. */
function benchStatistics(text: Uint8Array): number[] {
  const parser = new CandumpParser();
  parser.spanUs = 1e6;
  const statistics = new CanStatistics();
  const frames = new CanFrames();
  const perMs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    let ms = 0;
    const count = (): void => {
      const start = performance.now();
      statistics.add(frames, round);
      ms += performance.now() - start;
      frames.clear();
    };
    for (let at = 0; at < text.length;) {
      const result = parser.parseLine(text, at, frames);
      if (result === lineResult.ok) at = parser.lineEnd;
      if (result === lineResult.seal) count();
    }
    count();
    perMs.push(FRAMES / ms);
  }
  return perMs;
}

async function benchFile(text: Uint8Array): Promise<number[]> {
  const folder = mkdtempSync(join(tmpdir(), 'fleetlog-bench-'));
  try {
    const path = join(folder, 'drive.candump');
    writeFileSync(path, text);
    const batch = { linger: '500ms', span: '1s', records: 8192, bytes: '256KiB' };
    const perMs: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const source = createSource(
        'can0',
        { source: 'file', format: 'candump', path, priority: 5, batch },
        { clock: systemClock, keeper: keeperOn(systemClock), logger: silentLogger, events: noEvents },
      );
      const start = performance.now();
      await source.run({ put: () => Promise.resolve() }, undefined, new AbortController().signal);
      perMs.push(FRAMES / (performance.now() - start));
    }
    return perMs;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
