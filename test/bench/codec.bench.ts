import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { encodeBatch, type Batch, type BatchHeader, type EncodedPayload } from '@fleetlog/shared/batch';
import { CandumpParser, CanFrames, decodeCan, encodeCan } from '@fleetlog/shared/can';
import { parseCandump } from '../support/candump-text.js';
import { generateSecond } from '../support/generate-frames.js';
import type { BenchRow } from './row.js';

const ROUNDS = 60;
const WARM_UP_ROUNDS = 30;
const fordFolder = '../shared/data/can-logs/ford-fusion-2017';
const fordLogs = [
  'acc_on_going_at_50km_per_hour.candump',
  'acc_on_speed_changing_from_30km_to_80km_per_hour.candump.xz',
];

/** can-1 in batches of one second, envelope included: size and speed on one core. */
export async function benchCodec(): Promise<BenchRow[]> {
  const generated = Array.from({ length: 20 }, (_, i) => generateSecond(i + 1));
  const rows = measure(generated, 'generated vehicle, 60 identifiers');
  const paths = fordLogs.map((name) => `${fordFolder}/${name}`);
  if (!paths.every((path) => existsSync(path))) return rows;
  const recorded = paths.flatMap((path) => seconds(unpacked(path)));
  return [...rows, ...measure(recorded, 'two Ford recordings, 27 s, 75 identifiers')];
}

function seconds(text: Uint8Array): CanFrames[] {
  const parser = new CandumpParser();
  parser.spanUs = 1e6;
  return parseCandump(Buffer.from(text).toString('latin1'), parser).batches;
}

function unpacked(path: string): Uint8Array {
  return path.endsWith('.xz')
    ? execFileSync('xz', ['-dc', path], { maxBuffer: 1 << 28 })
    : readFileSync(path);
}

function measure(batches: CanFrames[], what: string): BenchRow[] {
  const on = `${what}, batches of one second, compression included`;
  const frames = batches.reduce((sum, { count }) => sum + count, 0);
  const encoded = batches.map((second, sequence) => {
    const payload = encodeCan(second);
    const header = headerOf(payload, sequence);
    return { header, payload: payload.payload, bytes: encodeBatch(header, payload.payload).length };
  });
  const into = new CanFrames();
  return [
    {
      name: 'can-1 with envelope',
      value: encoded.reduce((sum, { bytes }) => sum + bytes, 0) / frames,
      unit: 'bytes/frame',
      on,
    },
    row('can-1 encode', frames, on, () => batches.forEach((second) => encodeCan(second))),
    row('can-1 decode', frames, on, () => encoded.forEach((batch: Batch) => decodeCan(batch, into))),
  ];
}

function row(name: string, frames: number, on: string, work: () => void): BenchRow {
  for (let round = 0; round < WARM_UP_ROUNDS; round++) work();
  const perSecond = Array.from({ length: ROUNDS }, () => {
    const start = performance.now();
    work();
    return (frames / (performance.now() - start)) * 1000;
  });
  perSecond.sort((a, b) => a - b);
  return { name, value: perSecond[ROUNDS >> 1], unit: 'frames/s', on: `${on}; median of ${ROUNDS}` };
}

function headerOf(payload: EncodedPayload, sequence: number): BatchHeader {
  const { kind, codec, rawBytes, recordCount, firstTimeUs, lastTimeUs } = payload;
  return {
    gateway: 'truck-17',
    epoch: '0123456789abcdef',
    boot: 'fedcba9876543210',
    stream: 'can0',
    kind,
    sequence,
    lastSequence: sequence,
    firstTimeUs,
    lastTimeUs,
    recordCount,
    storeTimeUs: lastTimeUs,
    clock: { wallOffsetUs: firstTimeUs, state: 'coarse', uncertaintyUs: -1 },
    origin: 'live',
    codec,
    rawBytes,
  };
}
