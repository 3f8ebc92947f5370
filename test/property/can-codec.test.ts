import assert from 'node:assert/strict';
import fc from 'fast-check';
import { limits, type Batch } from '@fleetlog/shared/batch';
import { CanFrames, decodeCan, encodeCan } from '@fleetlog/shared/can';
import { isDataError } from '@fleetlog/shared/errors';
import { assertSameFrames } from '../support/assert-frames.js';
import { anyFrames } from '../support/frame-arbitraries.js';
import { headerFor } from '../support/batches.js';
import { generateFd, generateNoise, generateSecond } from '../support/generate-frames.js';

const encoded = (frames: CanFrames): Batch => {
  const payload = encodeCan(frames);
  return { header: headerFor(payload), payload: payload.payload };
};

describe('can-1', () => {
  it('gives back every batch exactly as it was', () => {
    const into = new CanFrames(1, 1);
    fc.assert(
      fc.property(anyFrames, (frames) => {
        assertSameFrames(decodeCan(encoded(frames), into), frames);
      }),
      { numRuns: 600 },
    );
  });

  it('decodes to the same whatever was decoded and encoded before', () => {
    fc.assert(
      fc.property(anyFrames, anyFrames, (frames, others) => {
        const before = Buffer.from(encodeCan(frames).payload);
        const into = decodeCan(encoded(others));
        assert.deepEqual(Buffer.from(encodeCan(frames).payload), before);
        assertSameFrames(decodeCan(encoded(frames), into), frames);
      }),
      { numRuns: 100 },
    );
  });
});

describe('can-1, read from hostile bytes', () => {
  const corpus = [
    generateSecond(1),
    generateFd(2, 100),
    generateNoise(3, 200, 50),
    fc.sample(anyFrames, { seed: 4, numRuns: 8 }),
  ]
    .flat()
    .map(encoded);
  const into = new CanFrames();

  /** Either refused as data, with nothing left behind, or decoded to what the header and the limits allow. */
  function decodesOrIsRefused(batch: Batch): void {
    const startMs = performance.now();
    try {
      const frames = decodeCan(batch, into);
      assert.equal(frames.count, batch.header.recordCount);
      assert.ok(frames.dataBytes <= limits.rawBytesMax);
      for (let i = 0; i < frames.count; i++) assert.ok(frames.bus[i] < frames.buses.length);
    } catch (error) {
      if (!isDataError(error)) throw error;
      assert.equal(into.count, 0);
    }
    assert.ok(performance.now() - startMs < 20_000, 'takes too long');
  }

  const change = fc.record({ at: fc.nat(), bit: fc.nat(7), set: fc.option(fc.nat(255), { nil: undefined }) });

  it('survives changed, cut and joined payloads', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...corpus),
        fc.constantFrom(...corpus),
        fc.array(change, { maxLength: 4 }),
        fc.option(fc.tuple(fc.nat(), fc.nat()), { nil: undefined }),
        (batch, other, changes, joint) => {
          let payload = Buffer.from(batch.payload);
          if (joint) {
            const head = payload.subarray(0, joint[0] % (payload.length + 1));
            const tail = other.payload.subarray(joint[1] % (other.payload.length + 1));
            payload = Buffer.concat([head, tail]);
          }
          for (const { at, bit, set } of changes) {
            if (payload.length > 0)
              payload[at % payload.length] = set ?? payload[at % payload.length] ^ (1 << bit);
          }
          decodesOrIsRefused({ header: batch.header, payload });
        },
      ),
      { numRuns: 6000 },
    );
  });

  it('survives random payloads, with and without a plausible head', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...corpus),
        fc.uint8Array({ maxLength: 300 }),
        fc.nat(64),
        (batch, bytes, headBytes) => {
          const payload = Buffer.concat([batch.payload.subarray(0, headBytes), bytes]);
          decodesOrIsRefused({ header: batch.header, payload });
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('survives headers that claim more or less than the payload has', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...corpus),
        fc.oneof(
          fc.nat(5000),
          fc.nat(limits.recordsMax),
          fc.constantFrom(limits.recordsMax + 1, -1, 2 ** 40),
        ),
        fc.oneof(fc.nat(50_000), fc.nat(limits.rawBytesMax), fc.constant(limits.rawBytesMax + 1)),
        fc.constantFrom('count', 'bytes', 'both'),
        (batch, recordCount, rawBytes, changed) => {
          const header = { ...batch.header };
          if (changed !== 'bytes') header.recordCount = recordCount;
          if (changed !== 'count') header.rawBytes = rawBytes;
          decodesOrIsRefused({ header, payload: batch.payload });
        },
      ),
      { numRuns: 300 },
    );
  });
});
