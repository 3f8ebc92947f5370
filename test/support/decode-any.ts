import assert from 'node:assert/strict';
import {
  decodeBatch,
  decodeEvents,
  decodeGap,
  decodeLines,
  decodeSamples,
  limits,
  type Batch,
} from '@fleetlog/shared/batch';
import { decodeCan } from '@fleetlog/shared/can';
import { isDataError } from '@fleetlog/shared/errors';

/** Decodes a checked batch by its codec and asserts that what comes out is within the limits and fits its header. */
export function decodeRecords(batch: Batch): unknown {
  const { header } = batch;
  switch (header.codec) {
    case 'can-1': {
      const frames = decodeCan(batch);
      assert.equal(frames.count, header.recordCount);
      assert.ok(frames.dataBytes <= 64 * frames.count);
      for (let i = 0; i < frames.count; i++) {
        assert.ok(frames.dataStart[i + 1] - frames.dataStart[i] <= 64);
        assert.ok(frames.bus[i] < frames.buses.length);
      }
      assertTimes(batch, frames);
      return frames;
    }
    case 'lines-1': {
      const lines = decodeLines(batch);
      assert.equal(lines.count, header.recordCount);
      assert.ok(lines.textBytes <= header.rawBytes);
      for (let i = 0; i < lines.count; i++) assert.ok(lines.line(i).length <= limits.lineBytesMax);
      assertTimes(batch, lines);
      return lines;
    }
    case 'samples-1': {
      const samples = decodeSamples(batch);
      assert.equal(samples.count, header.recordCount);
      assert.ok(samples.channels.length <= limits.channelsMax);
      for (const column of samples.columns) assert.equal(column.length, samples.count);
      assertTimes(batch, samples);
      return samples;
    }
    case 'events-1': {
      const events = decodeEvents(batch);
      assert.equal(events.length, header.recordCount);
      for (const { timeUs } of events) assert.ok(timeUs >= header.firstTimeUs && timeUs <= header.lastTimeUs);
      return events;
    }
    case 'gap-1':
      return decodeGap(batch);
    default:
      return assert.fail(`codec ${String(header.codec)}`);
  }
}

function assertTimes(
  { header }: Batch,
  columns: { count: number; baseTimeUs: number; timeOffsetUs: Int32Array },
): void {
  for (let i = 0; i < columns.count; i++) {
    const timeUs = columns.baseTimeUs + columns.timeOffsetUs[i];
    assert.ok(
      timeUs >= header.firstTimeUs && timeUs <= header.lastTimeUs,
      `time ${timeUs} is outside its header`,
    );
  }
}

/** Decodes bytes wholly: true where they are a batch, false where they are refused; anything else is a defect. */
export function decodesOrIsRefused(bytes: Uint8Array): boolean {
  try {
    decodeRecords(decodeBatch(bytes));
    return true;
  } catch (error) {
    if (isDataError(error)) return false;
    throw error;
  }
}
