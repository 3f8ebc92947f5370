import assert from 'node:assert/strict';
import {
  compress,
  decodeSamples,
  encodeSamples,
  limits,
  Samples,
  type BatchHeader,
  type ChannelSpec,
  type ChannelType,
} from '@fleetlog/shared/batch';
import { assertRefused, sent } from '../support/batches.js';

const baseUs = 1_790_000_000_000_000;
const types: ChannelType[] = ['i8', 'u8', 'i16', 'u16', 'i32', 'u32', 'i64', 'u64', 'f32', 'f64'];
const channel = (type: ChannelType, name: string = type): ChannelSpec => ({ name, unit: 'm/s²', type });

/** The bits of what is held, for comparison. */
const bitsOf = (samples: Samples): unknown => ({
  channels: samples.channels,
  times: Array.from({ length: samples.count }, (_, i) => samples.timeUs(i)),
  columns: samples.columns.map((column) => {
    const bytes = samples.count * column.BYTES_PER_ELEMENT;
    return Buffer.from(column.buffer, column.byteOffset, bytes).toString('hex');
  }),
});

const throughTheWire = (samples: Samples): Samples => decodeSamples(sent(encodeSamples(samples)));

function filled(channels: ChannelSpec[], records: number, value: (i: number) => number): Samples {
  const samples = new Samples(channels, 1); // grows on the way
  for (let i = 0; i < records; i++) {
    const at = samples.append(baseUs + 1000 * i + (i % 3));
    for (const column of samples.columns) {
      if (column instanceof BigInt64Array || column instanceof BigUint64Array) {
        column[at] = BigInt(Math.trunc(value(i) * 1e6));
      } else column[at] = value(i);
    }
  }
  return samples;
}

describe('samples-1', () => {
  it('keeps every type bit for bit, smooth or wild', () => {
    for (const value of [(i: number) => 100 * Math.sin(i / 30), (i: number) => (i * 7919) % 4093, () => 0]) {
      const samples = filled(
        types.map((type) => channel(type)),
        777,
        value,
      );
      assert.deepEqual(bitsOf(throughTheWire(samples)), bitsOf(samples));
    }
  });

  it('keeps the extremes of every type next to each other', () => {
    const samples = new Samples(
      types.map((type) => channel(type)),
      8,
    );
    for (let i = 0; i < 8; i++) samples.append(baseUs);
    for (const column of samples.columns) {
      const bytes = Buffer.from(column.buffer);
      const width = column.BYTES_PER_ELEMENT;
      const patterns = ['00', 'ff', '7f', '80', '00', '80', 'ff', '01'];
      patterns.forEach((pattern, i) => bytes.fill(Buffer.from(pattern, 'hex'), i * width, (i + 1) * width));
    }
    assert.deepEqual(bitsOf(throughTheWire(samples)), bitsOf(samples));
  });

  it('keeps the payload bits of NaNs and the sign of zero, through growth too', () => {
    const samples = new Samples([channel('f64'), channel('f32')], 2);
    samples.append(baseUs);
    samples.append(baseUs + 1);
    const [wide, narrow] = samples.columns;
    new BigUint64Array(wide.buffer).set([0x7ff8_dead_beef_0001n, 0x8000_0000_0000_0000n]);
    new Uint32Array(narrow.buffer).set([0x7f80_0001, 0xffc0_1234]); // the first is a signalling NaN
    const before = bitsOf(samples);
    samples.reserve(100);
    assert.deepEqual(bitsOf(samples), before);
    assert.deepEqual(bitsOf(throughTheWire(samples)), before);
  });

  it('times may jump by the widest span that one batch holds, forth and back', () => {
    const span = 0x7fff_ffff;
    const samples = new Samples([channel('u8')], 8);
    for (const offset of [0, span, -span, span, -span, -span, 0]) {
      assert.ok(samples.takes(baseUs + offset));
      samples.append(baseUs + offset);
    }
    assert.ok(!samples.takes(baseUs + span + 1) && !samples.takes(baseUs - span - 1));
    assert.deepEqual(bitsOf(throughTheWire(samples)), bitsOf(samples));
  });

  it('no records, no channels, and one record are batches', () => {
    for (const samples of [
      new Samples([channel('f64')], 0),
      new Samples([], 0),
      filled([], 3, () => 0),
      filled([channel('i64')], 1, () => -5),
    ]) {
      assert.deepEqual(bitsOf(throughTheWire(samples)), bitsOf(samples));
    }
  });

  it('says the facts of the batch', () => {
    const encoded = encodeSamples(filled([channel('f32')], 10, (i) => i));
    assert.equal(encoded.recordCount, 10);
    assert.equal(encoded.firstTimeUs, baseUs);
    assert.equal(encoded.lastTimeUs, baseUs + 9000);
  });

  it('cleared columns start anew', () => {
    const samples = filled([channel('u16')], 5, (i) => i);
    samples.clear();
    samples.append(baseUs + 7);
    assert.equal(samples.timeUs(0), baseUs + 7);
    assert.equal(throughTheWire(samples).count, 1);
  });

  it('a steady clock costs next to nothing', () => {
    const samples = new Samples([], 1000);
    for (let i = 0; i < 1000; i++) samples.append(baseUs + 1000 * i);
    assert.ok(encodeSamples(samples).payload.length < 40);
  });

  it('smooth channels cost less than half of their plain columns, random ones no more than them', () => {
    const smooth = filled([channel('i16')], 1000, (i) => 8000 * Math.sin(i / 200));
    assert.ok(encodeSamples(smooth).payload.length < 1000, 'smooth');
    const counter = filled([channel('u64')], 1000, (i) => 1_000_000 * i);
    assert.ok(encodeSamples(counter).payload.length < 200, 'counter');
    let state = 1;
    const random = filled(
      [channel('u32')],
      1000,
      () => (state = Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0,
    );
    assert.ok(encodeSamples(random).payload.length < 4200, 'random');
  });

  it('channels that no reader would take are not written', () => {
    const encode = (channels: ChannelSpec[]) => () => encodeSamples(new Samples(channels, 0));
    assertRefused(encode([channel('u8', 'a'), channel('i8', 'a')]), 'FLEETLOG_BATCH_MALFORMED');
    assertRefused(encode([channel('u8', '')]), 'FLEETLOG_BATCH_MALFORMED');
    assertRefused(encode([channel('u8', 'ä'.repeat(65))]), 'FLEETLOG_BATCH_LIMIT');
    assertRefused(encode([{ name: 'a', unit: 'x'.repeat(33), type: 'u8' }]), 'FLEETLOG_BATCH_LIMIT');
    const many = Array.from({ length: limits.channelsMax + 1 }, (_, i) => channel('u8', `c${i}`));
    assertRefused(encode(many), 'FLEETLOG_BATCH_LIMIT');
    assert.equal(throughTheWire(new Samples(many.slice(1), 1)).channels.length, limits.channelsMax);
  });

  it('names and units may be as long as the limits allow, and hold any character', () => {
    const channels: ChannelSpec[] = [
      { name: 'ä'.repeat(64), unit: '\u00b5'.repeat(16), type: 'u8' },
      { name: '\ufeff', unit: '\ufeff', type: 'u8' }, // a byte order mark isn't cut off
    ];
    assert.deepEqual(throughTheWire(new Samples(channels, 1)).channels, channels);
  });

  const raw = (changes: Partial<BatchHeader>, ...bytes: number[]): (() => Samples) => {
    const content = Uint8Array.from(bytes);
    const facts = { recordCount: 2, firstTimeUs: baseUs, lastTimeUs: baseUs + 5 };
    const encoded = {
      kind: 'samples',
      codec: 'samples-1',
      payload: compress(content),
      rawBytes: content.length,
    } as const;
    return () => decodeSamples(sent({ ...facts, ...encoded }, changes));
  };
  const oneChannel = [1, 3, 1, 0x61, 0]; // u16 named "a"
  const times = [0, 10]; // 0, then +5

  it('a payload written by hand from the specification reads', () => {
    const plain = raw({}, ...oneChannel, ...times, 0, 0x34, 0x78, 0x12, 0x56)();
    assert.deepEqual([...plain.columns[0]], [0x1234, 0x5678]);
    assert.deepEqual([plain.timeUs(0), plain.timeUs(1)], [baseUs, baseUs + 5]);
    // differences +2 (zigzag 4) and -1 (zigzag 1)
    const differences = raw({}, ...oneChannel, ...times, 1, 4, 1, 0, 0)();
    assert.deepEqual([...differences.columns[0]], [2, 1]);
  });

  it('payloads that contradict themselves or their header are refused', () => {
    const column = [0, 1, 1, 1, 1];
    raw({}, ...oneChannel, ...times, ...column)();
    const refused: Record<string, () => Samples> = {
      'no bytes': raw({ recordCount: 0 }),
      'an unknown type': raw({}, 1, 10, 1, 0x61, 0, ...times, ...column),
      'a name that is not UTF-8': raw({}, 1, 3, 1, 0xff, 0, ...times, ...column),
      'a channel named twice': raw(
        { recordCount: 0, lastTimeUs: baseUs },
        2,
        1,
        1,
        0x61,
        0,
        1,
        1,
        0x61,
        0,
        0,
        0,
      ),
      'an unknown form': raw({}, ...oneChannel, ...times, 2, 1, 1, 1, 1),
      'a column cut short': raw({}, ...oneChannel, ...times, 0, 1, 1, 1),
      'bytes behind the columns': raw({}, ...oneChannel, ...times, ...column, 0),
      'more records than bytes': raw({ recordCount: 1_000_000 }, ...oneChannel, ...times, ...column),
      'other times than the header': raw({ lastTimeUs: baseUs + 6 }, ...oneChannel, ...times, ...column),
      'a span that columns cannot hold': raw(
        { lastTimeUs: baseUs + 2 ** 31 },
        ...oneChannel,
        0,
        0x80,
        0x80,
        0x80,
        0x80,
        0x10,
        ...column,
      ),
    };
    for (const [what, decode] of Object.entries(refused)) {
      assert.throws(decode, { code: 'FLEETLOG_BATCH_MALFORMED' }, what);
    }
    assertRefused(raw({}, 0x81, 0x20, ...times, ...column), 'FLEETLOG_BATCH_LIMIT'); // 4097 channels
    assertRefused(raw({}, 1, 3, 0x81, 0x01, ...times, ...column), 'FLEETLOG_BATCH_LIMIT'); // a name of 129 bytes
  });
});
