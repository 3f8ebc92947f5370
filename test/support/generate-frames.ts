import { CAN_EFF_FLAG, CanFrames, FRAME_BRS, FRAME_FD } from '@fleetlog/shared/can';

/** xorshift32: the same numbers for the same seed, 0 to 1. */
export function randomOf(seed: number): () => number {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

const generatedBaseUs = 1_790_000_000_000_000;

/** A message that a vehicle sends again and again. */
interface Message {
  id: number;
  periodUs: number;
  dueUs: number;
  length: number;
  /** Signals of 16 bits, big-endian, one per two bytes; 0 stays as it is. */
  values: Float64Array;
  noise: Float64Array;
  count: number;
}

/**
 * One second of the bus of a made-up vehicle: some 60 periodic messages with a counter, a checksum, signals that drift,
 * bits that switch and bytes that never change, seen by an adapter that looks every millisecond. About 1,700 frames.
 */
export function generateSecond(seed: number): CanFrames {
  const random = randomOf(seed);
  const messages = Array.from({ length: 60 }, (_, i): Message => {
    const periodUs = [10_000, 20_000, 20_000, 50_000, 100_000, 500_000][i % 6];
    return {
      id: i % 10 === 9 ? (0x18fe_0000 | (i << 8) | CAN_EFF_FLAG) >>> 0 : 0x60 + 23 * i,
      periodUs,
      dueUs: random() * periodUs,
      length: i % 8 === 7 ? 5 : 8,
      values: Float64Array.from({ length: 3 }, () => Math.floor(random() * 65_536)),
      noise: Float64Array.from({ length: 3 }, () => (random() < 0.5 ? 0 : 1 + 30 * random())),
      count: Math.floor(random() * 16),
    };
  });
  const frames = new CanFrames();
  const bus = frames.busIndex('can0');
  const data = new Uint8Array(8);
  let lookUs = 0;
  for (;;) {
    const next = messages.reduce((first, message) => (message.dueUs < first.dueUs ? message : first));
    if (next.dueUs >= 1_000_000) return frames;
    fillData(next, data, random);
    lookUs = Math.max(lookUs, Math.ceil(next.dueUs / 1000) * 1000);
    const timeUs = generatedBaseUs + lookUs + Math.floor(3 * random());
    frames.append(timeUs, next.id, 0, next.length, bus, data, 0, next.length);
    next.dueUs += next.periodUs * (0.98 + 0.04 * random());
  }
}

function fillData(message: Message, data: Uint8Array, random: () => number): void {
  data.fill(0);
  message.values.forEach((value, i) => {
    if (2 * i + 1 >= message.length - 1) return;
    data[2 * i] = value >> 8;
    data[2 * i + 1] = value;
    message.values[i] = (value + Math.round(message.noise[i] * (random() - 0.5)) + 65_536) & 0xffff;
  });
  if (message.length === 8) data[6] = (message.count++ & 15) | (random() < 0.02 ? 0x40 : 0);
  let sum = 0;
  for (let i = 0; i < message.length - 1; i++) sum += data[i];
  data[message.length - 1] = ~sum;
}

/** Frames of CAN FD with 12 to 64 bytes, a third of which change; two a millisecond. */
export function generateFd(seed: number, count: number): CanFrames {
  const random = randomOf(seed);
  const lengths = [12, 24, 32, 64];
  const contents = lengths.map((length) => Uint8Array.from({ length }, () => Math.floor(256 * random())));
  const frames = new CanFrames();
  const bus = frames.busIndex('can0');
  for (let i = 0; i < count; i++) {
    const content = contents[i % 4];
    for (let byte = 0; byte < content.length; byte += 3) content[byte] += Math.floor(4 * random());
    const timeUs = generatedBaseUs + 500 * i + Math.floor(20 * random());
    const dlc = [9, 12, 13, 15][i % 4];
    frames.append(timeUs, 0x200 + (i % 4), FRAME_FD | FRAME_BRS, dlc, bus, content, 0, content.length);
  }
  return frames;
}

/** Frames without any order in them: the worst case. `ids` different identifiers at most. */
export function generateNoise(seed: number, count: number, ids: number): CanFrames {
  const random = randomOf(seed);
  const frames = new CanFrames();
  const bus = frames.busIndex('can0');
  const data = new Uint8Array(8);
  let timeUs = generatedBaseUs;
  for (let i = 0; i < count; i++) {
    for (let byte = 0; byte < 8; byte++) data[byte] = Math.floor(256 * random());
    timeUs += Math.floor(1000 * random());
    frames.append(timeUs, Math.floor(ids * random()), 0, 8, bus, data, 0, 8);
  }
  return frames;
}
