import assert from 'node:assert/strict';
import type { CanFrames } from '@fleetlog/shared/can';

/** Asserts that two sets of frames are the same in everything that they say. */
export function assertSameFrames(actual: CanFrames, expected: CanFrames): void {
  assert.deepEqual(plain(actual), plain(expected));
}

function plain(frames: CanFrames): object {
  const { count } = frames;
  return {
    count,
    baseTimeUs: frames.baseTimeUs,
    timeOffsetUs: frames.timeOffsetUs.slice(0, count),
    id: frames.id.slice(0, count),
    flags: frames.flags.slice(0, count),
    dlc: frames.dlc.slice(0, count),
    bus: frames.bus.slice(0, count),
    buses: frames.buses,
    dataStart: frames.dataStart.slice(0, count + 1),
    data: Buffer.from(frames.data.subarray(0, frames.dataBytes)),
    style: frames.style,
    verbatim: [...frames.verbatim].map(([index, line]) => [index, Buffer.from(line)]),
  };
}
