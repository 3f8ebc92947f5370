import { decodeBatch, decodeSamples, encodeBatch, encodeSamples } from '@fleetlog/shared/batch';
import type { Batch, EncodedPayload, Samples, Thinned } from '@fleetlog/shared/batch';
import { CAN_ERR_FLAG, CanFrames, decodeCan, encodeCan } from '@fleetlog/shared/can';

/** The first and each n-th record of each identifier, under the same identity; its header says what was taken out. */
export interface ThinBatch {
  bytes: Uint8Array;
  thinned: Thinned;
}

/**
 * Thins a stored batch: of `can` each n-th frame of each identifier of each bus is left, error frames all; of `samples`
 * each n-th row. `keepEachNth`: at least 2.
 *
 * Undefined where that gains nothing: the batch was thinned before, is of another kind, or wouldn't be smaller.
 * Synchronous: some milliseconds for 4,000 frames. Errors: those of data.
 */
export function thinBatch(bytes: Uint8Array, keepEachNth: number): ThinBatch | undefined {
  const batch = decodeBatch(bytes);
  const { header } = batch;
  if (header.thinned) return undefined;
  const taken = new Taken();
  const payload = thinPayload(batch, keepEachNth, taken);
  if (!payload || taken.records === 0) return undefined;
  const { records, firstTimeUs, lastTimeUs } = taken;
  const thinned = { keepEachNth, records, firstTimeUs, lastTimeUs };
  const { payload: left, ...facts } = payload;
  const thin = encodeBatch({ ...header, ...facts, thinned }, left);
  return thin.length < bytes.length ? { bytes: thin, thinned } : undefined;
}

class Taken implements Omit<Thinned, 'keepEachNth'> {
  records = 0;
  firstTimeUs = Infinity;
  lastTimeUs = -Infinity;

  note(timeUs: number): void {
    this.records++;
    if (timeUs < this.firstTimeUs) this.firstTimeUs = timeUs;
    if (timeUs > this.lastTimeUs) this.lastTimeUs = timeUs;
  }
}

function thinPayload(batch: Batch, keepEachNth: number, taken: Taken): EncodedPayload | undefined {
  switch (batch.header.codec) {
    case 'can-1': {
      const frames = decodeCan(batch);
      keepFrames(frames, keepEachNth, taken);
      return encodeCan(frames);
    }
    case 'samples-1': {
      const samples = decodeSamples(batch);
      keepRows(samples, keepEachNth, taken);
      return encodeSamples(samples);
    }
    default:
      return undefined;
  }
}

/** In place: what is left moves to the front. */
function keepFrames(frames: CanFrames, keepEachNth: number, taken: Taken): void {
  const { count, id, bus, flags, dlc, timeOffsetUs, dataStart, data, verbatim } = frames;
  const seen = new Map<number, number>();
  const kept = new Map<number, Uint8Array>();
  let to = 0;
  for (let from = 0; from < count; from++) {
    const channel = bus[from] * 0x1_0000_0000 + id[from];
    const before = seen.get(channel) ?? 0;
    seen.set(channel, before + 1);
    if (before % keepEachNth !== 0 && (id[from] & CAN_ERR_FLAG) === 0) {
      taken.note(frames.timeUs(from));
      continue;
    }
    const line = verbatim.get(from);
    if (line) kept.set(to, line);
    const [start, end] = [dataStart[from], dataStart[from + 1]];
    id[to] = id[from];
    bus[to] = bus[from];
    flags[to] = flags[from];
    dlc[to] = dlc[from];
    timeOffsetUs[to] = timeOffsetUs[from];
    data.copyWithin(dataStart[to], start, end);
    dataStart[to + 1] = dataStart[to] + end - start;
    to++;
  }
  frames.count = to;
  frames.verbatim = kept;
}

/** In place. */
function keepRows(samples: Samples, keepEachNth: number, taken: Taken): void {
  const { count, timeOffsetUs, columns } = samples;
  let to = 0;
  for (let from = 0; from < count; from++) {
    if (from % keepEachNth !== 0) {
      taken.note(samples.timeUs(from));
      continue;
    }
    timeOffsetUs[to] = timeOffsetUs[from];
    for (const column of columns) column.copyWithin(to, from, from + 1);
    to++;
  }
  samples.count = to;
}
