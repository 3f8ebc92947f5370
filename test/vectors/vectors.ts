import {
  compress,
  encodeEvents,
  encodeGap,
  encodeLines,
  encodeSamples,
  Samples,
  TextLines,
  type EncodedPayload,
} from '@fleetlog/shared/batch';
import { CAN_EFF_FLAG, CanFrames, encodeCan, fdDlcByLength, FRAME_FD, FRAME_TX } from '@fleetlog/shared/can';
import type { ErrorCode } from '@fleetlog/shared/errors';
import { corpus } from '../support/batch-corpus.js';
import { cbor, frame, repairChecksum, seal } from '../support/batches.js';

export interface Vector {
  name: string;
  description: string;
  bytes: Uint8Array;
  /** Absent where the batch is valid. */
  error?: ErrorCode;
}

const baseUs = 1_790_000_000_000_000;
const [can, lines, samples, events, gap] = corpus();

/** All vectors, made anew with today's encoders. */
export function makeVectors(): Vector[] {
  return [...valid(), ...invalid()];
}

function valid(): Vector[] {
  return [
    {
      name: 'can',
      description: 'Every sort of frame, on two buses, with a line kept verbatim',
      bytes: seal(can),
    },
    { name: 'can-empty', description: 'No frames', bytes: seal(encodeCan(new CanFrames())) },
    {
      name: 'can-one',
      description: 'One frame, live from a bus',
      bytes: seal(encodeCan(oneFrame()), { origin: 'live' }),
    },
    {
      name: 'can-signals',
      description: 'Two seconds of periodic frames through an adapter: counters, signals, checksums, noise',
      bytes: seal(encodeCan(busyBus())),
    },
    {
      name: 'can-irregular',
      description: 'Many identifiers, in any order, microseconds apart, and a clock that jumps',
      bytes: seal(encodeCan(irregularFrames())),
    },
    { name: 'lines', description: 'NMEA sentences with mixed line ends', bytes: seal(lines) },
    {
      name: 'lines-bytes',
      description: 'Any bytes, empty lines, no last line end, times before 1970',
      bytes: seal(encodeLines(oddLines())),
    },
    { name: 'samples', description: 'Channels of four types on a steady clock', bytes: seal(samples) },
    {
      name: 'samples-scaled',
      description: 'Channels whose values have a scale and an offset, or one of them',
      bytes: seal(encodeSamples(scaledSamples())),
    },
    {
      name: 'samples-extremes',
      description: 'Every type with its extremes, NaN payloads, jumping times',
      bytes: seal(encodeSamples(extremeSamples())),
    },
    { name: 'events', description: 'Events with attributes of every type', bytes: seal(events) },
    { name: 'events-empty', description: 'No events', bytes: seal(encodeEvents([])) },
    { name: 'gap', description: 'One sequence given up', bytes: seal(gap) },
    {
      name: 'can-thinned',
      description: 'What a full buffer left of a batch: each tenth frame of each identifier',
      bytes: seal(encodeCan(oneFrame()), {
        thinned: { keepEachNth: 10, records: 9, firstTimeUs: baseUs + 100_000, lastTimeUs: baseUs + 900_000 },
      }),
    },
    {
      name: 'gap-range',
      description:
        'A range of sequences given up, of unknown content, by a gateway whose clock was never set',
      bytes: seal(
        encodeGap(
          { cause: 'power-cut', detail: 'Höhere Gewalt' },
          { kind: 'samples', recordCount: -1, firstTimeUs: -5, lastTimeUs: 2 ** 42 },
        ),
        {
          sequence: 2 ** 33,
          lastSequence: 2 ** 33 + 1000,
          storeTimeUs: 12,
          clock: { wallOffsetUs: -(2 ** 40), state: 'unset', uncertaintyUs: -1 },
          origin: 'simulated',
        },
      ),
    },
    {
      name: 'later-fields',
      description: 'Fields that a later writer added: ignored',
      bytes: frame(
        cbor(new Map<unknown, unknown>([...plainHeader(), [99, ['later']], ['note', true]])),
        linesPayload(),
      ),
    },
    {
      name: 'other-forms',
      description: 'Integers as floats and in longer forms than needed',
      bytes: frame(Buffer.from(hexOfOddHeader, 'hex'), linesPayload()),
    },
  ];
}

function invalid(): Vector[] {
  const bytes = seal(lines);
  const flipped = Buffer.from(bytes);
  flipped[40] ^= 1;
  const withHeader = (key: number, value: unknown): Uint8Array =>
    frame(cbor(new Map(plainHeader()).set(key, value)), linesPayload());
  const withContent = (raw: Uint8Array, payload: EncodedPayload, changes = {}): Uint8Array =>
    seal({ ...payload, payload: compress(raw), rawBytes: raw.length, ...changes });
  const one = { recordCount: 1, firstTimeUs: 5, lastTimeUs: 5 };
  const text = (raw: string): Uint8Array => Buffer.from(raw.replaceAll(' ', ''), 'hex');
  return [
    refused('bad-checksum', 'A flipped bit', 'CHECKSUM', flipped),
    refused('bad-cut', 'The second half is missing', 'MALFORMED', bytes.subarray(0, bytes.length >> 1)),
    refused(
      'bad-trailing',
      'Bytes between payload and checksum',
      'MALFORMED',
      repairChecksum(Buffer.concat([bytes.subarray(0, -5), Buffer.alloc(6)])),
    ),
    refused('bad-version', 'Format version 2', 'VERSION', withHeader(0, 2)),
    refused('bad-codec', 'An unknown codec', 'CODEC', withHeader(14, 'lines-2')),
    refused('bad-kind', 'A codec that does not go with the kind', 'MALFORMED', withHeader(5, 0)),
    refused('bad-gateway', 'A gateway in capitals', 'MALFORMED', withHeader(1, 'Truck')),
    refused('bad-sequence', 'A negative sequence', 'MALFORMED', withHeader(6, -1)),
    refused('bad-range', 'A range of sequences that is no gap record', 'MALFORMED', withHeader(7, 99)),
    refused('bad-times', 'A last time before the first', 'MALFORMED', withHeader(9, 4)),
    refused('bad-count', 'More records than the limit', 'LIMIT', withHeader(10, 2 ** 20 + 1)),
    refused(
      'bad-thinned',
      'A thinned batch from which nothing was taken',
      'MALFORMED',
      withHeader(16, [10, 0, 5, 5]),
    ),
    refused('bad-raw-length', 'A raw length over the limit', 'LIMIT', withHeader(15, 2 ** 24 + 1)),
    refused('bad-tag', 'A bignum in the header', 'MALFORMED', frame(text('a1 06 c2 41 01'), linesPayload())),
    refused(
      'bad-indefinite',
      'A header of indefinite length',
      'MALFORMED',
      frame(text('bf 00 01 ff'), linesPayload()),
    ),
    refused(
      'bad-zstd-length',
      'A frame of another content size than the header says',
      'MALFORMED',
      withHeader(15, 4),
    ),
    refused(
      'bad-zstd-trailing',
      'Bytes behind the compressed frame',
      'MALFORMED',
      seal({ ...lines, payload: Buffer.concat([lines.payload, Buffer.alloc(1)]) }),
    ),
    refused(
      'bad-can',
      'Two bytes are missing',
      'MALFORMED',
      seal({ ...can, payload: can.payload.subarray(0, -2) }),
    ),
    refused(
      'bad-can-time',
      'A last time that is not that of the frames',
      'MALFORMED',
      seal(can, { lastTimeUs: can.lastTimeUs + 1 }),
    ),
    refused(
      'bad-can-count',
      'One frame more than there are',
      'MALFORMED',
      seal(can, { recordCount: can.recordCount + 1 }),
    ),
    refused(
      'bad-lines',
      'A line longer than the text',
      'MALFORMED',
      withContent(text('00 02 61'), lines, one),
    ),
    refused(
      'bad-lines-time',
      "A time outside of the header's",
      'MALFORMED',
      withContent(text('02 01 61'), lines, one),
    ),
    refused(
      'bad-samples',
      'An unknown type of channel',
      'MALFORMED',
      withContent(text('01 0a 01 61 00 00 00 00'), samples, one),
    ),
    refused(
      'bad-events',
      'An attribute that is a list',
      'MALFORMED',
      withContent(text('81 83 05 61 61 a1 61 62 80'), events, one),
    ),
    refused(
      'bad-gap',
      'A gap of unknown cause',
      'MALFORMED',
      seal({ ...gap, payload: text('a2 00 61 78 01 60'), rawBytes: 6 }),
    ),
  ];
}

const refused = (name: string, description: string, code: string, bytes: Uint8Array): Vector => ({
  name,
  description,
  bytes,
  error: `FLEETLOG_BATCH_${code}` as ErrorCode,
});

/** One line, "a", at time 5. */
const linesPayload = (): Uint8Array => cbor(compress(Buffer.from('000161', 'hex')));
const plainHeader = (): [number, unknown][] => [
  [0, 1],
  [1, 'truck-17'],
  [2, Buffer.from('0011223344556677', 'hex')],
  [3, Buffer.from('8899aabbccddeeff', 'hex')],
  [4, 'gps0'],
  [5, 1],
  [6, 3],
  [8, 5],
  [9, 5],
  [10, 1],
  [11, 6],
  [12, [0, 2, 100]],
  [13, 1],
  [14, 'lines-1'],
  [15, 3],
];
/** The same in longer forms than needed, with numbers as floats, and a clock with an item that is to be ignored. */
const hexOfOddHeader = [
  'b80f 1800 1a00000001',
  '01 68 747275636b2d3137',
  '02 5808 0011223344556677',
  '03 48 8899aabbccddeeff',
  '04 7804 67707330',
  '05 190001',
  '06 1b0000000000000003',
  '08 f94500',
  '09 fa40a00000',
  '0a fb3ff0000000000000',
  '0b 06',
  '0c 84 00 02 1864 f6',
  '0d 01',
  '0e 67 6c696e65732d31',
  '0f 03',
]
  .join('')
  .replaceAll(' ', '');

/** The same numbers each time, all but the lowest bits random enough. */
function randomNumbers(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 8;
  };
}

/** Periodic frames whose bytes are of every kind that signals have, stamped by an adapter each millisecond. */
function busyBus(): CanFrames {
  const frames = new CanFrames();
  const random = randomNumbers();
  const bus = frames.busIndex('can0');
  const data = new Uint8Array(8);
  let wide = 40_000;
  for (let tick = 0; tick < 2000; tick++) {
    for (let id = 0; id < 5; id++) {
      const period = [10, 10, 20, 50, 100][id];
      if (tick % period !== 2 * id) continue;
      const n = tick / period;
      wide += (random() % 600) - 300;
      if (id === 0) {
        data.set([n, n & 15, wide >> 8, wide, 7 * n, 0xff, 0x55, 0]); // counters, a 16-bit signal, constants
        data[7] = data.subarray(0, 7).reduce((sum, byte) => sum - byte, 0x1f); // a checksum
      } else if (id === 1) {
        const level = 100 + 90 * Math.sin(n / 40);
        const angle = 32_700 + (random() % 200);
        data.set([
          level,
          level + (random() % 3),
          level + 4,
          (n * n) >> 4,
          [3, 9, 27][random() % 3],
          angle >> 8,
          angle,
          0,
        ]);
      } else {
        for (let i = 0; i < 8; i++) data[i] = i < id ? random() : [0, 255, 1][(n >> (3 + i)) % 3];
      }
      frames.append(baseUs + 1000 * tick + (random() % 5), 0x100 + 0x11 * id, 0, 8, bus, data, 0, 8);
    }
  }
  return frames;
}

/** Frames that nothing predicts. */
function irregularFrames(): CanFrames {
  const frames = new CanFrames();
  const random = randomNumbers();
  const buses = ['can0', 'can1', 'a rather long name of a bus'].map((name) => frames.busIndex(name));
  const data = new Uint8Array(64);
  let timeUs = baseUs;
  for (let i = 0; i < 300; i++) {
    for (let at = 0; at < 64; at++) data[at] = random();
    const isFd = random() % 4 === 0;
    const length = isFd ? [8, 12, 20, 64][random() % 4] : random() % 9;
    const isExtended = random() % 3 === 0;
    const id = isExtended ? ((random() % 40) * 65_537 + CAN_EFF_FLAG) >>> 0 : random() % 60;
    const flags = isFd ? FRAME_FD | (random() % 4) : (random() % 2) * FRAME_TX;
    const dlc = isFd
      ? fdDlcByLength[length]
      : length === 8 && random() % 4 === 0
        ? 8 + (random() % 8)
        : length;
    timeUs += i < 290 ? random() % 60 : (random() % 1000) * 2 ** 20 - 2 ** 29;
    frames.append(timeUs, id, flags, dlc, buses[random() % 3], data, 0, length);
    if (i % 50 === 0) frames.verbatim.set(i, Buffer.from(`line ${i}, as it came, ${'long '.repeat(20)}\r\n`));
  }
  return frames;
}

function oneFrame(): CanFrames {
  const frames = new CanFrames();
  const bus = frames.busIndex('can0');
  frames.append(baseUs, 0x123, 0, 2, bus, Uint8Array.of(0xde, 0xad), 0, 2);
  return frames;
}

function oddLines(): TextLines {
  const odd = new TextLines();
  const texts = ['', '\n', '\r', '\0\x80\xff\r\r\n', 'ä€\n', 'x'.repeat(300) + '\n', 'no line end'];
  for (const [i, text] of texts.entries()) {
    const bytes = Buffer.from(text, i === 3 ? 'latin1' : 'utf8');
    odd.append(-1_000_000 + (i % 2 === 0 ? 1 : -1) * i * 0x1000_0000, bytes, 0, bytes.length);
  }
  return odd;
}

function scaledSamples(): Samples {
  const channels = new Samples([
    { name: 'accel_x', unit: 'm/s²', type: 'i16', scale: 9.81 / 2048 },
    { name: 'temperature', unit: '°C', type: 'u8', scale: 0.5, offset: -40 },
    { name: 'count', unit: '', type: 'u32', offset: 1 },
  ]);
  for (let i = 0; i < 3; i++) {
    const at = channels.append(baseUs + 1000 * i);
    channels.columns[0][at] = 100 * i - 100;
    channels.columns[1][at] = 120 + i;
    channels.columns[2][at] = i;
  }
  return channels;
}

function extremeSamples(): Samples {
  const types = ['i8', 'u8', 'i16', 'u16', 'i32', 'u32', 'i64', 'u64', 'f32', 'f64'] as const;
  const extreme = new Samples(types.map((type) => ({ name: `channel ${type}`, unit: 'µ', type })));
  const patterns = [0x00, 0xff, 0x7f, 0x80, 0x01, 0x80, 0x00, 0xc3];
  for (let i = 0; i < patterns.length; i++) extreme.append(baseUs + (i % 2 === 0 ? i : -i) * 0x0fff_ffff);
  for (const column of extreme.columns) {
    const width = column.BYTES_PER_ELEMENT;
    const bytes = new Uint8Array(column.buffer);
    patterns.forEach((pattern, i) => bytes.fill(pattern, i * width, (i + 1) * width));
  }
  // f32: a signalling NaN; f64: a NaN with a message, and -0
  new Uint32Array(extreme.columns[8].buffer)[0] = 0x7f80_0001;
  new BigUint64Array(extreme.columns[9].buffer).set([0x7ff8_dead_beef_0001n, 0x8000_0000_0000_0000n]);
  return extreme;
}
