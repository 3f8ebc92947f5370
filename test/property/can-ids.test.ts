import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Batch } from '@fleetlog/shared/batch';
import { CanFrames, decodeCan, decodeCanIds, encodeCan } from '@fleetlog/shared/can';
import { isDataError } from '@fleetlog/shared/errors';
import { assertSameFrames } from '../support/assert-frames.js';
import { headerFor } from '../support/batches.js';
import { fordSeconds, whyNoFordSeconds } from '../support/ford-seconds.js';
import { anyFrames } from '../support/frame-arbitraries.js';
import { generateFd, generateNoise, generateSecond, randomOf } from '../support/generate-frames.js';

const encoded = (frames: CanFrames): Batch => {
  const payload = encodeCan(frames);
  return { header: headerFor(payload), payload: payload.payload };
};

/** The frames of these identifiers, one by one. */
function picked(frames: CanFrames, ids: ReadonlySet<number>): CanFrames {
  const few = new CanFrames();
  few.buses = frames.buses;
  few.style = frames.style;
  const { id, flags, dlc, bus, data, dataStart } = frames;
  for (let i = 0; i < frames.count; i++) {
    if (!ids.has(id[i])) continue;
    const length = dataStart[i + 1] - dataStart[i];
    few.append(frames.timeUs(i), id[i], flags[i], dlc[i], bus[i], data, dataStart[i], length);
  }
  for (let i = 0; i < few.count; i++) few.timeOffsetUs[i] += few.baseTimeUs - frames.baseTimeUs;
  few.baseTimeUs = frames.baseTimeUs;
  return few;
}

/** About this part of the identifiers. */
function chosenOf({ id, count }: CanFrames, part: number, random: () => number): Set<number> {
  return new Set([...new Set(id.subarray(0, count))].filter(() => random() < part));
}

function assertPicks(frames: CanFrames, ids: ReadonlySet<number>, into: CanFrames): void {
  const few = decodeCanIds(encoded(frames), (id) => ids.has(id), into);
  const whole = decodeCan(encoded(frames));
  if (ids.size === 0) assert.equal(few.count, 0);
  else if (few.count === whole.count) assertSameFrames(few, whole);
  else assertSameFrames(few, picked(whole, ids));
}

describe('can-1, some identifiers of a batch', () => {
  it('are decoded as all of them are', () => {
    const into = new CanFrames(1, 1);
    fc.assert(
      fc.property(anyFrames, fc.double({ min: 0, max: 1 }), fc.nat(), (frames, part, seed) => {
        assertPicks(frames, chosenOf(frames, part, randomOf(seed)), into);
      }),
      { numRuns: 600 },
    );
  });

  it('are decoded as all of them are, one by one, where a bus is as buses are', () => {
    const into = new CanFrames();
    for (const frames of [generateSecond(5), generateFd(6, 400), generateNoise(7, 300, 20)]) {
      for (const id of new Set(frames.id.subarray(0, frames.count))) {
        assertPicks(frames, new Set([id]), into);
      }
    }
  });

  it('are decoded as all of them are, in recordings of a car', function () {
    const seconds = fordSeconds();
    if (!seconds) {
      console.log(`      skipped: ${whyNoFordSeconds}`);
      return this.skip();
    }
    const into = new CanFrames();
    const random = randomOf(9);
    for (const frames of seconds) assertPicks(frames, chosenOf(frames, 0.1, random), into);
  });

  it('give values within the limits, or a refusal, whatever the bytes are', () => {
    const batches = [generateSecond(1), generateFd(2, 100), generateNoise(3, 200, 50)].map(encoded);
    const into = new CanFrames();
    fc.assert(
      fc.property(
        fc.nat(2),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (k, changes) => {
          const { header, payload } = batches[k];
          const bytes = Buffer.from(payload);
          for (const [at, value] of changes) bytes[at % bytes.length] = value;
          try {
            decodeCanIds({ header, payload: bytes }, (id) => id % 3 === 0, into);
            assert.ok(into.count <= header.recordCount && into.dataBytes <= header.rawBytes);
            for (let i = 0; i < into.count; i++) assert.ok(into.bus[i] < into.buses.length);
          } catch (error) {
            assert.ok(isDataError(error), String(error));
            assert.equal(into.count, 0);
          }
        },
      ),
      { numRuns: 5000 },
    );
  });
});
