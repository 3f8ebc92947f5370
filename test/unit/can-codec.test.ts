import assert from 'node:assert/strict';
import { decodeBatch, encodeBatch, limits, type Batch } from '@fleetlog/shared/batch';
import { CanFrames, decodeCan, encodeCan, FRAME_FD, FRAME_RX } from '@fleetlog/shared/can';
import { isFleetlogError, type ErrorCode } from '@fleetlog/shared/errors';
import { assertSameFrames } from '../support/assert-frames.js';
import { headerFor, seal, sent } from '../support/batches.js';
import { fordSeconds, whyNoFordSeconds } from '../support/ford-seconds.js';
import { generateFd, generateNoise, generateSecond, randomOf } from '../support/generate-frames.js';

const baseUs = 1_790_000_000_000_000;

const bytesPerFrame = (batches: readonly CanFrames[]): number => {
  const bytes = batches.reduce((sum, frames) => sum + seal(encodeCan(frames)).length, 0);
  return bytes / batches.reduce((sum, { count }) => sum + count, 0);
};
const refused = (action: () => unknown, code: ErrorCode): void =>
  assert.throws(action, (error) => isFleetlogError(error, code));

/** Frames of one identifier, a millisecond apart, whose data `fill` makes. */
function series(count: number, length: number, fill: (data: Uint8Array, i: number) => void): CanFrames {
  const frames = new CanFrames();
  const bus = frames.busIndex('can0');
  const data = new Uint8Array(length);
  for (let i = 0; i < count; i++) {
    fill(data, i);
    frames.append(baseUs + 1000 * i, 0x123, 0, length, bus, data, 0, length);
  }
  return frames;
}

describe('can-1', () => {
  it('keeps what is usual, from 0 frames on', () => {
    const empty = new CanFrames();
    empty.baseTimeUs = baseUs;
    const one = series(1, 8, (data) => data.fill(7));
    for (const frames of [empty, one, generateSecond(1), generateFd(2, 200), generateNoise(3, 500, 2048)]) {
      assertSameFrames(decodeCan(sent(encodeCan(frames))), frames);
    }
  });

  it('keeps a different identifier, bus, flag and dlc for each frame', () => {
    const frames = new CanFrames();
    const data = Uint8Array.from({ length: 64 }, (_, i) => i);
    for (let i = 0; i < 3000; i++) {
      const bus = frames.busIndex(`can${i % 200}`);
      frames.append(baseUs + i, 0x8000_0000 + i, i & 0xff, (i >> 4) & 0xff, bus, data, 0, i % 65);
    }
    assertSameFrames(decodeCan(sent(encodeCan(frames))), frames);
  });

  it('keeps times at the ends of the range, in any order', () => {
    const frames = new CanFrames();
    const bus = frames.busIndex('can0');
    const limitUs = 0x7fff_ffff;
    for (const offsetUs of [0, limitUs, -limitUs, limitUs, 0, 125, 250, 250, -limitUs, -limitUs + 1]) {
      frames.append(baseUs + offsetUs, 1, 0, 0, bus, new Uint8Array(0), 0, 0);
    }
    assertSameFrames(decodeCan(sent(encodeCan(frames))), frames);
  });

  it('keeps base times that lie before 1970 or far away, whatever the first frame', () => {
    for (const baseTimeUs of [-1, 0, -(2 ** 52), 2 ** 52]) {
      const frames = generateSecond(5);
      frames.baseTimeUs = baseTimeUs;
      frames.timeOffsetUs[3] = -77;
      assertSameFrames(decodeCan(sent(encodeCan(frames))), frames);
    }
  });

  it('keeps long verbatim text, which it compresses', () => {
    const frames = generateSecond(6);
    for (let i = 0; i < frames.count; i += 2) {
      frames.verbatim.set(i, Buffer.from(`(1790000000.${i}) can0 odd line ${i}\n`));
    }
    const batch = sent(encodeCan(frames));
    assertSameFrames(decodeCan(batch), frames);
    assert.ok(batch.payload.length < batch.header.rawBytes);
  });

  it('gives a payload that later calls leave alone', () => {
    const { payload } = encodeCan(generateSecond(1));
    const before = Buffer.from(payload);
    encodeCan(generateSecond(2));
    assert.deepEqual(Buffer.from(payload), before);
    assert.equal(payload.length, payload.buffer.byteLength);
  });

  it('decodes into the same arrays again and again', () => {
    const batch = sent(encodeCan(generateSecond(1)));
    const into = decodeCan(batch);
    const { data, id, timeOffsetUs } = into;
    decodeCan(batch, into);
    assert.ok(into.data === data && into.id === id && into.timeOffsetUs === timeOffsetUs);
  });

  it('reads data from and into arrays that start at any byte', () => {
    const frames = generateSecond(1);
    const shifted = new Uint8Array(frames.data.length + 1).subarray(1);
    shifted.set(frames.data);
    frames.data = shifted;
    const into = new CanFrames(2000, 16_000);
    into.data = new Uint8Array(16_001).subarray(1);
    assertSameFrames(decodeCan(sent(encodeCan(frames)), into), frames);
  });

  it('takes less than 2.7 bytes a frame for a vehicle with counters, checksums and noise', () => {
    assert.ok(bytesPerFrame([generateSecond(1), generateSecond(2)]) < 2.7);
  });

  it('takes nothing for what never changes, and next to nothing for what follows from the rest', () => {
    const size = (fill: (data: Uint8Array, i: number) => void): number =>
      encodeCan(series(2000, 8, fill)).payload.length;
    const still = size((data) => data.fill(9));
    const random = randomOf(1);
    const noise = (data: Uint8Array): void => {
      data[0] = 256 * random();
      data[1] = 256 * random();
    };
    const noisy = size(noise);
    const withChecksum = size((data) => {
      noise(data);
      data[7] = ~(data[0] + data[1]);
    });
    const withCounters = size((data, i) => {
      noise(data);
      data[5] = i;
      data[6] = (i & 15) << 4;
    });
    const rare = size((data, i) => (data[2] = i < 700 ? 0 : 1));
    assert.ok(still < 100, `${still}`);
    assert.ok(noisy > 3000, `${noisy}`);
    assert.ok(withChecksum < noisy + 40, `${withChecksum} after ${noisy}`);
    assert.ok(withCounters < noisy + 200, `${withCounters} after ${noisy}`);
    assert.ok(rare < still + 20, `${rare} after ${still}`);
  });

  it('adds little to frames without any order in them', () => {
    const count = 1800;
    const plainBits = 8 * 8 + 11 + 10; // data, identifier, time
    const { payload } = encodeCan(generateNoise(7, count, 2048));
    assert.ok(payload.length < (count * (plainBits + 16)) / 8, `${payload.length / count} bytes a frame`);
  });

  it('takes at most 2.2 bytes a frame of real recordings, envelope included', function () {
    const batches = fordSeconds();
    if (!batches) {
      console.log(`      skipped: ${whyNoFordSeconds}`);
      return this.skip();
    }
    assert.ok(bytesPerFrame(batches) <= 2.2, `${bytesPerFrame(batches)} bytes a frame`);
  });
});

describe('can-1 refuses', () => {
  const good = sent(encodeCan(generateSecond(1)));
  const withHeader = (changes: Partial<Batch['header']>): Batch => ({
    header: { ...good.header, ...changes },
    payload: good.payload,
  });

  it('more frames, or more data, than a batch may have', () => {
    const many = new CanFrames(limits.recordsMax + 1, 0);
    many.busIndex('can0');
    many.count = limits.recordsMax + 1;
    refused(() => encodeCan(many), 'FLEETLOG_BATCH_LIMIT');
    const long = new CanFrames(300_000, 64 * 300_000);
    long.busIndex('can0');
    for (let i = 1; i <= 300_000; i++) long.dataStart[i] = 64 * i;
    long.count = 300_000;
    refused(() => encodeCan(long), 'FLEETLOG_BATCH_LIMIT');
  });

  it('a header of another codec, count, length or time', () => {
    refused(() => decodeCan(withHeader({ codec: 'lines-1' })), 'FLEETLOG_BATCH_CODEC');
    refused(() => decodeCan(withHeader({ recordCount: limits.recordsMax + 1 })), 'FLEETLOG_BATCH_LIMIT');
    refused(() => decodeCan(withHeader({ rawBytes: limits.rawBytesMax + 1 })), 'FLEETLOG_BATCH_LIMIT');
    for (const changes of [
      { recordCount: good.header.recordCount + 1 },
      { recordCount: good.header.recordCount - 1 },
      { recordCount: 0 },
      { recordCount: -1 },
      { rawBytes: good.header.rawBytes + 1 },
      { rawBytes: good.header.rawBytes - 1 },
      { rawBytes: 0 },
      { firstTimeUs: good.header.firstTimeUs - 1 },
      { lastTimeUs: good.header.lastTimeUs + 1 },
    ]) {
      refused(() => decodeCan(withHeader(changes)), 'FLEETLOG_BATCH_MALFORMED');
    }
  });

  it('a payload that is cut anywhere, or goes on, and leaves no frames behind', () => {
    const into = new CanFrames();
    for (let length = 0; length < good.payload.length; length += 7) {
      const payload = good.payload.subarray(0, length);
      refused(() => decodeCan({ header: good.header, payload }, into), 'FLEETLOG_BATCH_MALFORMED');
      assert.equal(into.count, 0);
    }
    const payload = Buffer.concat([good.payload, Buffer.alloc(2)]);
    refused(() => decodeCan({ header: good.header, payload }, into), 'FLEETLOG_BATCH_MALFORMED');
  });

  it('a million frames out of a hundred bytes only where they are there', () => {
    const frames = series(100_000, 0, () => {});
    frames.flags.fill(FRAME_FD | FRAME_RX);
    const payload = encodeCan(frames);
    assert.ok(payload.payload.length < 200);
    const bytes = encodeBatch(headerFor(payload), payload.payload);
    assert.equal(decodeCan(decodeBatch(bytes)).count, 100_000);
    const header = { ...headerFor(payload), recordCount: limits.recordsMax };
    refused(() => decodeCan({ header, payload: payload.payload }), 'FLEETLOG_BATCH_MALFORMED');
  });
});
