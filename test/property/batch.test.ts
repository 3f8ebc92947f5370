import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  decodeBatch,
  decodeEvents,
  decodeGap,
  decodeLines,
  decodeSamples,
  encodeBatch,
  encodeEvents,
  encodeGap,
  encodeLines,
  encodeSamples,
  gapCauses,
  Samples,
  TextLines,
  type BatchHeader,
} from '@fleetlog/shared/batch';
import { sent } from '../support/batches.js';

const times = fc.integer({ min: -(2 ** 50), max: 2 ** 52 });
const spanUs = 0x7fff_ffff;
const offsets = fc.oneof(
  fc.integer({ min: -1000, max: 2_000_000 }),
  fc.integer({ min: -spanUs, max: spanUs }),
  fc.constantFrom(-spanUs, 0, spanUs),
);
const lifeId = fc
  .uint8Array({ minLength: 8, maxLength: 8 })
  .map((bytes) => Buffer.from(bytes).toString('hex'));
const natural = fc.oneof(fc.nat(), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }));
const whole = fc.oneof(
  fc.integer(),
  fc.integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER }),
);
/** Objects as the product makes them, for `deepEqual`. */
const plain = { noNullPrototype: true };
const rest = Array.from('abcdefghijklmnopqrstuvwxyz0123456789-');

const headers: fc.Arbitrary<BatchHeader> = fc
  .record({
    gateway: fc.tuple(
      fc.constantFrom('a', 'z', '0', '9'),
      fc.string({ unit: fc.constantFrom(...rest), maxLength: 62 }),
    ),
    stream: fc.tuple(
      fc.constantFrom('a', 'z', '0', '9'),
      fc.string({ unit: fc.constantFrom(...rest, '_'), maxLength: 62 }),
    ),
    epoch: lifeId,
    boot: lifeId,
    type: fc.constantFrom(
      { kind: 'can', codec: 'can-1' },
      { kind: 'lines', codec: 'lines-1' },
      { kind: 'samples', codec: 'samples-1' },
      { kind: 'events', codec: 'events-1' },
      { kind: 'events', codec: 'gap-1' },
    ),
    sequences: fc.tuple(natural, natural).map(([a, b]) => [Math.min(a, b), Math.max(a, b)]),
    times: fc.tuple(whole, whole).map(([a, b]) => [Math.min(a, b), Math.max(a, b)]),
    recordCount: fc.integer({ min: 0, max: 2 ** 20 }),
    storeTimeUs: whole,
    clock: fc.record(
      {
        wallOffsetUs: whole,
        state: fc.constantFrom('unset', 'coarse', 'synced'),
        uncertaintyUs: fc.oneof(fc.constant(-1), natural),
      },
      plain,
    ),
    origin: fc.constantFrom('live', 'recording', 'simulated'),
    rawBytes: fc.integer({ min: 0, max: 2 ** 24 }),
  })
  .map(({ gateway, stream, type, sequences, times: [firstTimeUs, lastTimeUs], ...others }) => ({
    ...others,
    gateway: gateway.join(''),
    stream: stream.join(''),
    ...(type as Pick<BatchHeader, 'kind' | 'codec'>),
    sequence: sequences[0],
    lastSequence: type.codec === 'gap-1' ? sequences[1] : sequences[0],
    firstTimeUs,
    lastTimeUs,
  })) as fc.Arbitrary<BatchHeader>;

describe('batch format: what goes in comes out', () => {
  it('headers and payloads', () => {
    fc.assert(
      fc.property(headers, fc.uint8Array({ maxLength: 300 }), (header, payload) => {
        const batch = decodeBatch(encodeBatch(header, payload));
        assert.deepEqual(batch.header, header);
        assert.equal(Buffer.compare(batch.payload, payload), 0);
      }),
    );
  });

  it('lines, into columns that are used again and again', () => {
    const into = new TextLines(1, 1);
    const record = fc.tuple(offsets, fc.uint8Array({ maxLength: 200, size: 'max' }));
    fc.assert(
      fc.property(times, fc.array(record, { maxLength: 100 }), (baseUs, records) => {
        const lines = new TextLines(1, 1);
        for (const [offset, bytes] of records) {
          const timeUs = baseUs + offset;
          if (lines.takes(timeUs)) lines.append(timeUs, bytes, 0, bytes.length);
        }
        const decoded = decodeLines(sent(encodeLines(lines)), into);
        assert.equal(decoded.count, lines.count);
        for (let i = 0; i < lines.count; i++) {
          assert.equal(decoded.timeUs(i), lines.timeUs(i));
          assert.equal(Buffer.compare(decoded.line(i), lines.line(i)), 0);
        }
      }),
    );
  });

  it('samples, bit for bit', () => {
    const channels = fc.uniqueArray(
      fc.record(
        {
          name: fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }),
          unit: fc.string({ unit: 'binary', maxLength: 8 }),
          type: fc.constantFrom('i8', 'u8', 'i16', 'u16', 'i32', 'u32', 'i64', 'u64', 'f32', 'f64'),
        },
        plain,
      ),
      { maxLength: 6, selector: ({ name }) => name },
    );
    const content = fc.oneof(
      fc.uint8Array({ minLength: 256, maxLength: 256 }),
      fc.uint8Array({ minLength: 256, maxLength: 256, max: 2 }),
      fc.constantFrom(0x00, 0x7f, 0x80, 0xff).map((byte) => new Uint8Array(256).fill(byte)),
    );
    fc.assert(
      fc.property(
        times,
        channels,
        fc.array(offsets, { maxLength: 32 }),
        content,
        (baseUs, specs, steps, bits) => {
          const samples = new Samples(specs as Samples['channels'], 1);
          for (const step of steps) if (samples.takes(baseUs + step)) samples.append(baseUs + step);
          for (const column of samples.columns) {
            const bytes = new Uint8Array(column.buffer);
            for (let i = 0; i < bytes.length; i++) bytes[i] = bits[i % bits.length];
          }
          const decoded = decodeSamples(sent(encodeSamples(samples)));
          assert.deepEqual(decoded.channels, samples.channels);
          assert.equal(decoded.count, samples.count);
          for (let i = 0; i < samples.count; i++) assert.equal(decoded.timeUs(i), samples.timeUs(i));
          samples.columns.forEach((column, i) => {
            const length = samples.count * column.BYTES_PER_ELEMENT;
            assert.equal(
              Buffer.compare(Buffer.from(decoded.columns[i].buffer), Buffer.from(column.buffer, 0, length)),
              0,
            );
          });
        },
      ),
    );
  });

  it('events', () => {
    const word = fc.string({ unit: fc.constantFrom(...rest, '_', 'A', 'Z'), minLength: 1, maxLength: 12 });
    const value = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.double({ noNaN: true }).filter((number) => !Object.is(number, -0)),
      whole,
      fc.boolean(),
      fc.constant(null),
    );
    const event = fc.record({
      timeUs: whole,
      type: fc.array(word, { minLength: 1, maxLength: 5 }).map((words) => words.join('.')),
      attributes: fc.dictionary(fc.string({ unit: 'binary' }), value, { maxKeys: 10, noNullPrototype: true }),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 20 }), (events) => {
        const decoded = decodeEvents(sent(encodeEvents(events)));
        assert.deepEqual(
          decoded.map(({ attributes, ...others }) => ({ ...others, attributes: Object.entries(attributes) })),
          events.map(({ attributes, ...others }) => ({ ...others, attributes: Object.entries(attributes) })),
        );
      }),
    );
  });

  it('gap records', () => {
    const detail = fc.string({ unit: 'binary', maxLength: 500 });
    fc.assert(
      fc.property(fc.constantFrom(...gapCauses), detail, (cause, text) => {
        const facts = { kind: 'can', recordCount: -1, firstTimeUs: 0, lastTimeUs: 1 } as const;
        assert.deepEqual(decodeGap(sent(encodeGap({ cause, detail: text }, facts))), { cause, detail: text });
      }),
    );
  });
});
