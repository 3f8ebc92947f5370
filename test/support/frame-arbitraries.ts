import fc from 'fast-check';
import {
  CAN_EFF_FLAG,
  CAN_ERR_FLAG,
  CAN_RTR_FLAG,
  CanFrames,
  TIME_OFFSET_LIMIT_US,
} from '@fleetlog/shared/can';
import { randomOf } from './generate-frames.js';

const baseUs = 1_790_000_000_000_000;

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
export const anyFrames = fc
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
