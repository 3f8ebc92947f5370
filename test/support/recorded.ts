import {
  TextLines,
  encodeEvents,
  encodeGap,
  encodeLines,
  type BatchHeader,
  type GapCause,
} from '@fleetlog/shared/batch';
import { CandumpParser, CanFrames, encodeCan, lineResult } from '@fleetlog/shared/can';
import type { Log } from '#cloud/log/log.js';
import { seal } from './batches.js';

/** Frames with these times, whose data say which they are; as batch. */
export function canBatch(timesUs: readonly number[], header: Partial<BatchHeader>, mark = 0): Uint8Array {
  const frames = new CanFrames();
  const data = Buffer.alloc(8);
  const bus = frames.busIndex('can0');
  timesUs.forEach((timeUs, i) => {
    data.writeUInt32BE(mark, 0);
    data.writeUInt32BE(i, 4);
    frames.append(timeUs, 0x100 + (i % 16), 0, 8, bus, data, 0, 8);
  });
  return seal(encodeCan(frames), { stream: 'can0', ...header });
}

/** A recording in batches of at most `framesMax` frames, with sequences from 0. */
export function candumpBatches(
  text: Uint8Array,
  header: Partial<BatchHeader>,
  framesMax = 2000,
): Uint8Array[] {
  const batches: Uint8Array[] = [];
  const parser = new CandumpParser();
  const frames = new CanFrames();
  const sealFrames = (): void => {
    batches.push(seal(encodeCan(frames), { stream: 'can0', ...header, sequence: batches.length }));
    frames.clear();
  };
  for (let at = 0; at < text.length;) {
    const result = parser.parseLine(text, at, frames);
    if (result !== lineResult.ok && result !== lineResult.seal) throw new Error(`line at ${at}: ${result}`);
    if (result === lineResult.ok) at = parser.lineEnd;
    if (result === lineResult.seal || frames.count === framesMax) sealFrames();
  }
  if (frames.count > 0) sealFrames();
  return batches;
}

export function lineBatch(
  lines: readonly { timeUs: number; text: string | Uint8Array }[],
  header: Partial<BatchHeader>,
): Uint8Array {
  const columns = new TextLines();
  for (const { timeUs, text } of lines) {
    const bytes = Buffer.from(text);
    columns.append(timeUs, bytes, 0, bytes.length);
  }
  return seal(encodeLines(columns), { stream: 'gps0', ...header });
}

export function eventBatch(timeUs: number, type: string, header: Partial<BatchHeader>): Uint8Array {
  return seal(encodeEvents([{ timeUs, type, attributes: { reason: 'test' } }]), {
    stream: 'events',
    ...header,
  });
}

export function gapBatch(
  first: number,
  last: number,
  cause: GapCause,
  header: Partial<BatchHeader>,
  records = 100,
): Uint8Array {
  const payload = encodeGap(
    { cause, detail: 'as the test wants it' },
    { kind: 'can', recordCount: records, firstTimeUs: 1_000_000, lastTimeUs: 2_000_000 },
  );
  return seal(payload, { stream: 'can0', ...header, sequence: first, lastSequence: last });
}

/** Appends batches of one gateway; returns their offsets. */
export function append(
  log: Log,
  batches: readonly Uint8Array[],
  { gateway = 'truck-17', receiveTimeUs = 1_790_000_000_000_000 } = {},
): Promise<number[]> {
  const partition = log.partitionOf(gateway);
  return log.append(batches.map((bytes) => ({ partition, receiveTimeUs, bytes })));
}
