import assert from 'node:assert/strict';
import fc from 'fast-check';
import { limits, type Batch } from '@fleetlog/shared/batch';
import {
  CAN_EFF_FLAG,
  CAN_ERR_FLAG,
  CAN_RTR_FLAG,
  CanFrames,
  decodeCan,
  encodeCan,
  TIME_OFFSET_LIMIT_US,
} from '@fleetlog/shared/can';
import { isDataError } from '@fleetlog/shared/errors';
import { assertSameFrames } from '../support/assert-frames.js';
import { headerFor } from '../support/batches.js';
import { generateFd, generateNoise, generateSecond, randomOf } from '../support/generate-frames.js';

const baseUs = 1_790_000_000_000_000;
const encoded = (frames: CanFrames): Batch => {
  const payload = encodeCan(frames);
  return { header: headerFor(payload), payload: payload.payload };
};

/** How the frames of one sort behave; sorts are mixed in a batch. */
interface Sort {
  id: number;
  flags: number;
  dlc: number;
  bus: number;
  length: number;
  /** Per byte: what it does from frame to frame. */
  bytes: ('constant' | 'count' | 'drift' | 'switch' | 'noise' | 'repeat' | 'sum' | 'ramp')[];
}

const anyId = fc.oneof(
  fc.nat(0x7ff),
  fc.nat(0x1fff_ffff).map((id) => (id | CAN_EFF_FLAG) >>> 0),
  fc.nat(0x7ff).map((id) => (id | CAN_RTR_FLAG) >>> 0),
  fc.nat(0x1fff_ffff).map((id) => (id | CAN_ERR_FLAG) >>> 0),
  fc.nat(0xffff_ffff),
);
const sort: fc.Arbitrary<Sort> = fc.record({
  id: anyId,
  flags: fc.oneof(fc.constant(0), fc.nat(255)),
  dlc: fc.oneof(fc.constant(8), fc.nat(255)),
  bus: fc.nat(4),
  length: fc.oneof({ weight: 4, arbitrary: fc.constant(8) }, fc.nat(8), fc.nat(64)),
  bytes: fc.array(fc.constantFrom('constant', 'count', 'drift', 'switch', 'noise', 'repeat', 'sum', 'ramp'), {
    minLength: 1,
    maxLength: 12,
  }),
});

const clockStep = fc.constantFrom('burst', 'grid', 'free', 'coarse', 'far');
const style = fc.record({
  decimals: fc.nat(6),
  lowerCase: fc.boolean(),
  crlf: fc.boolean(),
  padded: fc.boolean(),
  trimmed: fc.boolean(),
});

/** Batches of every sort of content that the columns can hold. */
const anyFrames = fc
  .record({
    sorts: fc.array(sort, { minLength: 1, maxLength: 12 }),
    count: fc.oneof(fc.nat(3), fc.nat(400)),
    freshIds: fc.boolean(),
    steps: fc.array(clockStep, { minLength: 1, maxLength: 3 }),
    style,
    verbatim: fc.array(fc.tuple(fc.nat(399), fc.uint8Array({ maxLength: 80 })), { maxLength: 5 }),
    seed: fc.integer({ min: 1 }),
  })
  .map(({ sorts, count, freshIds, steps, style: written, verbatim, seed }) => {
    const random = randomOf(seed);
    const frames = new CanFrames(4, 4);
    frames.style = { ...written };
    for (const name of ['can0', 'vcan1', 'bus-ü', '', 'x'.repeat(60)]) frames.busIndex(name);
    const states = sorts.map(() => Uint8Array.from({ length: 64 }, () => 256 * random()));
    let timeUs = baseUs;
    for (let i = 0; i < count; i++) {
      const at = Math.floor(sorts.length * random());
      const { id, flags, dlc, bus, length, bytes } = sorts[at];
      for (let byte = 0; byte < length; byte++) advance(states[at], byte, bytes[byte % bytes.length], random);
      const nextUs = later(timeUs, steps[i % steps.length], random);
      if (i === 0 || Math.abs(nextUs - frames.baseTimeUs) <= TIME_OFFSET_LIMIT_US) timeUs = nextUs;
      const own = freshIds ? Math.floor(2 ** 32 * random()) : id;
      frames.append(timeUs, own, flags, dlc, bus, states[at], 0, length);
    }
    const lines = new Map(verbatim.filter(([index]) => index < count));
    frames.verbatim = new Map([...lines].sort(([a], [b]) => a - b));
    return frames;
  });

function advance(state: Uint8Array, byte: number, behaviour: Sort['bytes'][0], random: () => number): void {
  switch (behaviour) {
    case 'count':
      state[byte]++;
      break;
    case 'drift':
      state[byte] += Math.floor(5 * random()) - 2;
      break;
    case 'switch':
      if (random() < 0.1) state[byte] ^= 0x40;
      break;
    case 'noise':
      state[byte] = 256 * random();
      break;
    case 'repeat':
      if (byte > 0) state[byte] = state[byte - 1];
      break;
    case 'sum':
      state[byte] = 0;
      state[byte] = -state.reduce((sum, value) => sum + value, 0);
      break;
    case 'ramp':
      state[byte] += state[(byte + 1) % 64] & 3;
      break;
    default:
  }
}

function later(timeUs: number, step: string, random: () => number): number {
  if (step === 'burst') return timeUs + Math.floor(2 * random());
  if (step === 'grid') return timeUs + 125 * Math.floor(9 * random()) + Math.floor(3 * random());
  if (step === 'free') return timeUs + Math.floor(700 * random()) - 20;
  if (step === 'coarse') return timeUs - (timeUs % 10_000) + 10_000 * Math.floor(3 * random());
  return timeUs + Math.floor(4 * TIME_OFFSET_LIMIT_US * (random() - 0.5));
}

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
