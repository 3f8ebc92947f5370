import type { EncodedPayload } from '../../batch/types.js';
import { compress } from '../../batch/zstd.js';
import type { CanFrames } from '../frames.js';
import { ByteWriter } from './byte-writer.js';
import { writeFacts } from './facts.js';

const out = new ByteWriter();

/** Encodes frames as a `can-1` payload, which is a buffer of its own; `format-can-1.md` specifies its bytes. */
export function encodeCan(frames: CanFrames): EncodedPayload {
  const { count } = frames;
  out.clear();
  writeFacts(frames, out);
  let first = 0;
  let last = 0;
  for (let i = 0; i < count; i++) {
    const time = frames.timeOffsetUs[i];
    if (i === 0 || time < first) first = time;
    if (i === 0 || time > last) last = time;
    out.u32(time);
  }
  for (let i = 0; i < count; i++) out.u32(frames.id[i]);
  out.raw(frames.flags.subarray(0, count));
  out.raw(frames.dlc.subarray(0, count));
  out.raw(frames.bus.subarray(0, count));
  for (let i = 0; i < count; i++) out.u8(frames.dataStart[i + 1] - frames.dataStart[i]);
  out.raw(frames.data.subarray(0, frames.dataBytes));
  return {
    kind: 'can',
    codec: 'can-1',
    payload: compress(out.bytes.subarray(0, out.length)),
    rawBytes: out.length,
    recordCount: count,
    firstTimeUs: frames.baseTimeUs + first,
    lastTimeUs: frames.baseTimeUs + last,
  };
}
