import assert from 'node:assert/strict';
import fc from 'fast-check';
import { decodeBatch, type BatchHeader } from '@fleetlog/shared/batch';
import { CAN_ERR_FLAG, CanFrames, decodeCan, encodeCan } from '@fleetlog/shared/can';
import { thinBatch } from '#gateway/buffer/thinning/thin-batch.js';
import { assertSameFrames } from '../support/assert-frames.js';
import { seal } from '../support/batches.js';
import { anyFrames } from '../support/frame-arbitraries.js';

/** Which frames are to be left: written otherwise than the product does it. */
function expectedIndices(frames: CanFrames, keepEachNth: number): number[] {
  const byChannel = Map.groupBy(
    Array.from({ length: frames.count }, (_, i) => i),
    (i) => `${frames.bus[i]}/${frames.id[i]}`,
  );
  return [...byChannel.values()]
    .flatMap((indices) =>
      indices.filter((i, place) => place % keepEachNth === 0 || (frames.id[i] & CAN_ERR_FLAG) !== 0),
    )
    .sort((a, b) => a - b);
}

function framesAt(frames: CanFrames, indices: readonly number[]): CanFrames {
  const { id, flags, dlc, bus, data, dataStart } = frames;
  const some = new CanFrames();
  some.style = { ...frames.style };
  some.buses = [...frames.buses];
  for (const [to, i] of indices.entries()) {
    some.append(
      frames.timeUs(i),
      id[i],
      flags[i],
      dlc[i],
      bus[i],
      data,
      dataStart[i],
      dataStart[i + 1] - dataStart[i],
    );
    const line = frames.verbatim.get(i);
    if (line) some.verbatim.set(to, line);
  }
  return some;
}

/** What thinning leaves alone. */
function identityOf(header: BatchHeader): object {
  const { gateway, epoch, boot, stream, kind, sequence, lastSequence, storeTimeUs, clock, origin } = header;
  return { gateway, epoch, boot, stream, kind, sequence, lastSequence, storeTimeUs, clock, origin };
}

describe('a thinned batch of CAN frames', () => {
  it('holds each n-th frame of each identifier as it was, and tells of all others', () => {
    let thinned = 0;
    fc.assert(
      fc.property(anyFrames, fc.integer({ min: 2, max: 12 }), (frames, keepEachNth) => {
        const whole = seal(encodeCan(frames));
        const thin = thinBatch(whole, keepEachNth);
        const left = expectedIndices(frames, keepEachNth);
        if (!thin) {
          // Nothing to take out, or what is left isn't smaller: frames that repeat cost next to nothing.
          const taken = { keepEachNth, records: 1, firstTimeUs: 0, lastTimeUs: 0 };
          const wouldBe = seal(encodeCan(framesAt(frames, left)), { thinned: taken });
          assert.ok(left.length === frames.count || wouldBe.length + 40 >= whole.length);
          return;
        }
        thinned++;
        const batch = decodeBatch(thin.bytes);
        assertSameFrames(decodeCan(batch), framesAt(frames, left));
        const isLeft = new Set(left);
        const taken = Array.from({ length: frames.count }, (_, i) => i).filter((i) => !isLeft.has(i));
        const times = taken.map((i) => frames.timeUs(i));
        assert.deepEqual(batch.header.thinned, {
          keepEachNth,
          records: frames.count - left.length,
          firstTimeUs: Math.min(...times),
          lastTimeUs: Math.max(...times),
        });
        assert.deepEqual(identityOf(batch.header), identityOf(decodeBatch(whole).header));
        assert.ok(thin.bytes.length < whole.length);
        assert.equal(thinBatch(thin.bytes, keepEachNth), undefined, 'once');
      }),
      { numRuns: 300 },
    );
    assert.ok(thinned > 50, `${thinned} of 300`);
  });
});
