import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Batch } from '@fleetlog/shared/batch';
import { CanFrames, decodeCan, decodeCanIds, encodeCan, everyByte } from '@fleetlog/shared/can';
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
function picked(frames: CanFrames, ids: Wanted): CanFrames {
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

/** Which bytes are wanted, by identifier. */
type Wanted = ReadonlyMap<number, Uint8Array>;

/** About this part of the identifiers. */
function chosenOf({ id, count }: CanFrames, part: number, random: () => number): Wanted {
  const ids = [...new Set(id.subarray(0, count))].filter(() => random() < part);
  return new Map(ids.map((one) => [one, everyByte]));
}

/** Of each identifier this part of the bytes. */
const someBytes = (ids: Wanted, part: number, random: () => number): Wanted =>
  new Map(Array.from(ids, ([id, bytes]) => [id, bytes.map(() => Number(random() < part))]));

const nothing = new Uint8Array(64);

/** Bytes that aren't wanted say nothing, and text of lines may be missing. */
function forget(frames: CanFrames, wanted: Wanted): CanFrames {
  frames.verbatim = new Map();
  const { id, data, dataStart } = frames;
  for (let i = 0; i < frames.count; i++) {
    const bytes = wanted.get(id[i]) ?? nothing;
    for (let at = dataStart[i]; at < dataStart[i + 1]; at++) data[at] *= bytes[at - dataStart[i]];
  }
  return frames;
}

function assertPicks(frames: CanFrames, wanted: Wanted, into: CanFrames): void {
  const few = decodeCanIds(encoded(frames), (id) => wanted.get(id), into);
  if (wanted.size === 0) assert.equal(few.count, 0);
  else {
    const whole = decodeCan(encoded(frames));
    // Where most is wanted all are decoded.
    assertSameFrames(
      forget(few, wanted),
      forget(few.count === whole.count ? whole : picked(whole, wanted), wanted),
    );
  }
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

  it('are decoded as all of them are where only some of their bytes are wanted', () => {
    const into = new CanFrames(1, 1);
    const part = fc.double({ min: 0, max: 1 });
    fc.assert(
      fc.property(anyFrames, part, part, fc.nat(), (frames, ids, bytes, seed) => {
        const random = randomOf(seed);
        assertPicks(frames, someBytes(chosenOf(frames, ids, random), bytes, random), into);
      }),
      { numRuns: 600 },
    );
  });

  it('are decoded byte by byte as all of them are, where a bus is as buses are', () => {
    const into = new CanFrames();
    for (const frames of [generateSecond(8), generateFd(9, 400), ...(fordSeconds()?.slice(0, 2) ?? [])]) {
      for (const id of new Set(frames.id.subarray(0, frames.count))) {
        for (let byte = 0; byte < 8; byte++) {
          const one = new Uint8Array(64);
          one[byte] = 1;
          assertPicks(frames, new Map([[id, one]]), into);
        }
      }
    }
  });

  it('are decoded as all of them are, one by one, where a bus is as buses are', () => {
    const into = new CanFrames();
    for (const frames of [generateSecond(5), generateFd(6, 400), generateNoise(7, 300, 20)]) {
      for (const id of new Set(frames.id.subarray(0, frames.count))) {
        assertPicks(frames, new Map([[id, everyByte]]), into);
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
    for (const frames of seconds) {
      const ids = chosenOf(frames, 0.1, random);
      assertPicks(frames, ids, into);
      assertPicks(frames, someBytes(ids, 0.3, random), into);
    }
  });

  it('give values within the limits, or a refusal, whatever the bytes are', () => {
    const someOfThem = everyByte.map((_, byte) => Number(byte % 4 !== 2));
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
            decodeCanIds({ header, payload: bytes }, (id) => (id % 3 === 0 ? someOfThem : undefined), into);
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
