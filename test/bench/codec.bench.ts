import { encodeBatch, type Batch, type BatchHeader, type EncodedPayload } from '@fleetlog/shared/batch';
import { CanFrames, decodeCan, encodeCan } from '@fleetlog/shared/can';
import { fordSeconds } from '../support/ford-seconds.js';
import { generateSecond } from '../support/generate-frames.js';
import type { BenchRow } from './row.js';

const ROUNDS = 60;
const WARM_UP_ROUNDS = 30;
/** can-1 in batches of one second, envelope included: size and speed on one core. */
export async function benchCodec(): Promise<BenchRow[]> {
  const generated = Array.from({ length: 20 }, (_, i) => generateSecond(i + 1));
  const rows = measure(generated, 'generated vehicle, 60 identifiers');
  const recorded = fordSeconds();
  if (!recorded) return rows;
  return [...rows, ...measure(recorded, 'two Ford recordings, 27 s, 75 identifiers')];
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
    heapRow('can-1 encode', batches.length, on, () => batches.forEach((second) => encodeCan(second))),
    heapRow('can-1 decode', batches.length, on, () =>
      encoded.forEach((batch: Batch) => decodeCan(batch, into)),
    ),
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

/** Objects made on JavaScript's heap, none of them for a single frame; payloads, which are new buffers, lie beside it. */
function heapRow(name: string, batches: number, on: string, work: () => void): BenchRow {
  for (let round = 0; round < WARM_UP_ROUNDS; round++) work();
  const perBatch = Array.from({ length: ROUNDS }, () => {
    const start = process.memoryUsage().heapUsed;
    work();
    return (process.memoryUsage().heapUsed - start) / batches;
  });
  // Rounds in which memory was collected give less than nothing.
  const clean = perBatch.filter((bytes) => bytes >= 0).sort((a, b) => a - b);
  return { name: `${name}, heap`, value: clean[clean.length >> 1], unit: 'bytes/batch', on };
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
