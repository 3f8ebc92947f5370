import assert from 'node:assert/strict';
import { decodeBatch, encodeBatch, identifyBatch, limits, type BatchHeader } from '@fleetlog/shared/batch';
import type { ErrorCode } from '@fleetlog/shared/errors';
import { assertRefused, cbor, frame, headerFor, repairChecksum } from '../support/batches.js';

const payload = Buffer.from('any payload');
const facts = {
  kind: 'lines',
  codec: 'lines-1',
  payload,
  rawBytes: 40,
  recordCount: 3,
  firstTimeUs: 1_789_999_999_000_000,
  lastTimeUs: 1_789_999_999_500_001,
} as const;
const gapHeader = headerFor(
  { ...facts, kind: 'can', codec: 'gap-1' },
  { lastSequence: 2 ** 40, recordCount: -1 },
);

/** The fields of a header as they travel, to be damaged one by one. */
function fields(): Map<unknown, unknown> {
  const life = Buffer.from('0011223344556677', 'hex');
  return new Map<unknown, unknown>([
    [0, 1],
    [1, 'truck-17'],
    [2, life],
    [3, life],
    [4, 'can0'],
    [5, 0],
    [6, 5],
    [8, 1_000_000],
    [9, 2_000_000],
    [10, 10],
    [11, 3_000_000],
    [12, [0, 2, 100]],
    [13, 0],
    [14, 'can-1'],
    [15, 100],
  ]);
}
const framed = (changed: Map<unknown, unknown>): Uint8Array => frame(cbor(changed), cbor(payload));

describe('batch envelope', () => {
  const headers: [string, BatchHeader][] = [
    ['a batch', headerFor(facts)],
    ['a gap record over a range', gapHeader],
    ['the first batch of a stream', headerFor(facts, { sequence: 0 })],
    [
      'a batch at its limits',
      headerFor(facts, { recordCount: limits.recordsMax, rawBytes: limits.rawBytesMax }),
    ],
    ['times before 1970', headerFor({ ...facts, firstTimeUs: -5_000_000_000_000, lastTimeUs: -1 })],
    [
      'the largest integers',
      headerFor(facts, {
        sequence: Number.MAX_SAFE_INTEGER,
        storeTimeUs: Number.MAX_SAFE_INTEGER,
        clock: { wallOffsetUs: Number.MIN_SAFE_INTEGER, state: 'unset', uncertaintyUs: -1 },
      }),
    ],
  ];
  for (const [what, header] of headers) {
    it(`${what} comes out as it went in`, () => {
      const batch = decodeBatch(encodeBatch(header, payload));
      assert.deepEqual(batch.header, header);
      assert.deepEqual(Buffer.from(batch.payload), payload);
    });
  }

  it('the payload is a view into the bytes given, whatever their offset in their buffer', () => {
    const bytes = Buffer.concat([Buffer.alloc(3), encodeBatch(headerFor(facts), payload)]).subarray(3);
    const batch = decodeBatch(bytes);
    assert.equal(batch.payload.buffer, bytes.buffer);
    assert.deepEqual(Buffer.from(batch.payload), payload);
  });

  it('payloads around every length of the byte string head come out whole', () => {
    for (const length of [0, 1, 23, 24, 255, 256, 65_535, 65_536, 1_000_000]) {
      const large = Buffer.alloc(length, 0x5a);
      assert.equal(Buffer.compare(decodeBatch(encodeBatch(headerFor(facts), large)).payload, large), 0);
    }
  });

  it('fields that a later writer adds are ignored', () => {
    const more = fields().set(99, [1, 2]).set('note', true);
    assert.equal(decodeBatch(framed(more)).header.sequence, 5);
  });

  it('integers written as floats or bigints are taken where they are whole and safe', () => {
    const odd = fields().set(6, 5n).set(8, 1_789_999_999_000_000).set(9, 1_789_999_999_000_001);
    assert.equal(decodeBatch(framed(odd)).header.lastTimeUs, 1_789_999_999_000_001);
  });

  it('any flipped bit is noticed', () => {
    const bytes = encodeBatch(headerFor(facts), payload);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = Buffer.from(bytes);
      damaged[bit >> 3] ^= 1 << (bit & 7);
      assertRefused(() => decodeBatch(damaged), 'FLEETLOG_BATCH_CHECKSUM', 'FLEETLOG_BATCH_MALFORMED');
    }
  });

  it('any cut is noticed, with the checksum repaired as well', () => {
    const bytes = encodeBatch(headerFor(facts), payload);
    for (let length = 0; length < bytes.length; length++) {
      const cut = bytes.subarray(0, length);
      assertRefused(() => decodeBatch(cut), 'FLEETLOG_BATCH_CHECKSUM', 'FLEETLOG_BATCH_MALFORMED');
      assertRefused(() => decodeBatch(repairChecksum(cut)), 'FLEETLOG_BATCH_MALFORMED');
    }
  });

  const wrongFields: [string, ErrorCode, (header: Map<unknown, unknown>) => unknown][] = [
    ['a later version', 'FLEETLOG_BATCH_VERSION', (h) => h.set(0, 2)],
    ['no version', 'FLEETLOG_BATCH_VERSION', (h) => h.delete(0)],
    ['a version as text', 'FLEETLOG_BATCH_VERSION', (h) => h.set(0, '1')],
    ['a version that is a list of large numbers', 'FLEETLOG_BATCH_VERSION', (h) => h.set(0, [2n ** 63n])],
    ['a version under a text key', 'FLEETLOG_BATCH_VERSION', (h) => (h.delete(0), h.set('0', 1))],
    ['an unknown codec', 'FLEETLOG_BATCH_CODEC', (h) => h.set(14, 'can-2')],
    ['a codec named like a part of every object', 'FLEETLOG_BATCH_CODEC', (h) => h.set(14, 'constructor')],
    ['a codec that is a number', 'FLEETLOG_BATCH_MALFORMED', (h) => h.set(14, 1)],
    ['a codec of another kind', 'FLEETLOG_BATCH_MALFORMED', (h) => h.set(14, 'lines-1')],
    ['a gateway in capitals', 'FLEETLOG_BATCH_MALFORMED', (h) => h.set(1, 'Truck')],
    ['a gateway with a line feed', 'FLEETLOG_BATCH_MALFORMED', (h) => h.set(1, 'truck\n')],
    ['a gateway of 64 characters', 'FLEETLOG_BATCH_MALFORMED', (h) => h.set(1, 'a'.repeat(64))],
    ['no gateway', 'FLEETLOG_BATCH_MALFORMED', (h) => h.delete(1)],
    ['a stream with a slash', 'FLEETLOG_BATCH_MALFORMED', (h) => h.set(4, 'a/b')],
    ['a stream named __proto__', 'FLEETLOG_BATCH_MALFORMED', (h) => h.set(4, '__proto__')],
    ['an epoch of 7 bytes', 'FLEETLOG_BATCH_MALFORMED', (h) => h.set(2, Buffer.alloc(7))],
    ['an epoch as text', 'FLEETLOG_BATCH_MALFORMED', (h) => h.set(2, '0011223344556677')],
    ['a boot of 9 bytes', 'FLEETLOG_BATCH_MALFORMED', (h) => h.set(3, Buffer.alloc(9))],
    ['an unknown kind', 'FLEETLOG_BATCH_MALFORMED', (h) => h.set(5, 9)],
    ['a negative kind', 'FLEETLOG_BATCH_MALFORMED', (h) => h.set(5, -1)],
    ['a kind that names a method of lists', 'FLEETLOG_BATCH_MALFORMED', (h) => h.set(5, 'map')],
    ['a negative sequence', 'FLEETLOG_BATCH_MALFORMED', (h) => h.set(6, -1)],
    ['a sequence of a half', 'FLEETLOG_BATCH_MALFORMED', (h) => h.set(6, 1.5)],
    ['a sequence over 2^53', 'FLEETLOG_BATCH_MALFORMED', (h) => h.set(6, 2n ** 60n)],
    ['a sequence that is no number', 'FLEETLOG_BATCH_MALFORMED', (h) => h.set(6, NaN)],
    ['a range that is no gap', 'FLEETLOG_BATCH_MALFORMED', (h) => h.set(7, 6)],
    ['a range that runs back', 'FLEETLOG_BATCH_MALFORMED', (h) => h.set(7, 4).set(14, 'gap-1')],
    ['times that run back', 'FLEETLOG_BATCH_MALFORMED', (h) => h.set(9, 999_999)],
    ['an infinite time', 'FLEETLOG_BATCH_MALFORMED', (h) => h.set(9, Infinity)],
    ['a negative record count', 'FLEETLOG_BATCH_MALFORMED', (h) => h.set(10, -1)],
    ['a gap of -2 records', 'FLEETLOG_BATCH_MALFORMED', (h) => h.set(10, -2).set(14, 'gap-1')],
    ['too many records', 'FLEETLOG_BATCH_LIMIT', (h) => h.set(10, limits.recordsMax + 1)],
    ['too many raw bytes', 'FLEETLOG_BATCH_LIMIT', (h) => h.set(15, limits.rawBytesMax + 1)],
    ['a negative raw length', 'FLEETLOG_BATCH_MALFORMED', (h) => h.set(15, -1)],
    ['no clock', 'FLEETLOG_BATCH_MALFORMED', (h) => h.delete(12)],
    ['a clock of two parts', 'FLEETLOG_BATCH_MALFORMED', (h) => h.set(12, [0, 2])],
    ['an unknown clock state', 'FLEETLOG_BATCH_MALFORMED', (h) => h.set(12, [0, 3, 1])],
    ['an uncertainty of -2', 'FLEETLOG_BATCH_MALFORMED', (h) => h.set(12, [0, 2, -2])],
    ['an unknown origin', 'FLEETLOG_BATCH_MALFORMED', (h) => h.set(13, 3)],
    ['no store time', 'FLEETLOG_BATCH_MALFORMED', (h) => h.delete(11)],
  ];
  for (const [what, code, damage] of wrongFields) {
    it(`${what} is refused with ${code}`, () => {
      decodeBatch(framed(fields())); // the undamaged one is fine, so it is this field that is refused
      const damaged = fields();
      damage(damaged);
      assertRefused(() => decodeBatch(framed(damaged)), code);
    });
  }

  it('a header that no reader would take is not written', () => {
    const cases: [ErrorCode, Partial<BatchHeader>][] = [
      ['FLEETLOG_BATCH_MALFORMED', { gateway: 'Truck 17' }],
      ['FLEETLOG_BATCH_MALFORMED', { epoch: 'xyz' }],
      ['FLEETLOG_BATCH_MALFORMED', { lastSequence: 8 }],
      ['FLEETLOG_BATCH_MALFORMED', { storeTimeUs: 0.5 }],
      ['FLEETLOG_BATCH_MALFORMED', { firstTimeUs: -0.5 }],
      ['FLEETLOG_BATCH_MALFORMED', { clock: { wallOffsetUs: NaN, state: 'unset', uncertaintyUs: -1 } }],
      ['FLEETLOG_BATCH_MALFORMED', { clock: { wallOffsetUs: 0, state: 'unset', uncertaintyUs: 0.5 } }],
      ['FLEETLOG_BATCH_MALFORMED', { kind: 'can' }],
      ['FLEETLOG_BATCH_LIMIT', { recordCount: limits.recordsMax + 1 }],
      ['FLEETLOG_BATCH_LIMIT', { rawBytes: limits.rawBytesMax + 1 }],
    ];
    for (const [code, changes] of cases) {
      assertRefused(() => encodeBatch(headerFor(facts, changes), payload), code);
    }
  });

  it('a batch at the limit of bytes is written and read, one above it neither', () => {
    const overhead = encodeBatch(headerFor(facts), Buffer.alloc(100_000)).length - 100_000;
    const largest = Buffer.alloc(limits.batchBytesMax - overhead);
    const bytes = encodeBatch(headerFor(facts), largest);
    assert.equal(bytes.length, limits.batchBytesMax);
    assert.equal(decodeBatch(bytes).payload.length, largest.length);
    const larger = Buffer.alloc(largest.length + 1);
    assertRefused(() => encodeBatch(headerFor(facts), larger), 'FLEETLOG_BATCH_LIMIT');
    const longer = frame(cbor(fields()), cbor(larger));
    assertRefused(() => decodeBatch(Buffer.concat([longer, Buffer.alloc(overhead)])), 'FLEETLOG_BATCH_LIMIT');
  });

  it('header or payload of another CBOR type are refused', () => {
    const good = Buffer.from(cbor(fields()));
    for (const item of ['80', '00', '60', 'f6', '40']) {
      assertRefused(
        () => decodeBatch(frame(Buffer.from(item, 'hex'), cbor(payload))),
        'FLEETLOG_BATCH_MALFORMED',
      );
    }
    for (const item of ['80', '00', '60', 'f6', 'a0']) {
      assertRefused(() => decodeBatch(frame(good, Buffer.from(item, 'hex'))), 'FLEETLOG_BATCH_MALFORMED');
    }
  });

  it('a checksum that is part of something else is refused', () => {
    // [header, payload, bytes(5 that look like a checksum)]: the last five bytes fit, the item doesn't.
    const bytes = repairChecksum(
      Buffer.concat([
        Uint8Array.of(0x83),
        cbor(fields()),
        cbor(payload),
        Uint8Array.of(0x45),
        Buffer.alloc(5),
      ]),
    );
    assertRefused(() => decodeBatch(bytes), 'FLEETLOG_BATCH_MALFORMED');
  });
});

describe('identifyBatch', () => {
  const identity = { gateway: 'truck-17', epoch: '0011223344556677', stream: 'can0', sequence: 5 };

  it('names batches that are refused for what they hold', () => {
    const refused: [number, unknown][] = [
      [0, 2],
      [14, 'can-2'],
      [5, 9],
      [10, limits.recordsMax + 1],
      [12, 'of a later version'],
    ];
    for (const [key, value] of refused) {
      const bytes = framed(fields().set(key, value));
      assert.throws(() => decodeBatch(bytes));
      assert.deepEqual(identifyBatch(bytes), identity);
    }
    assert.deepEqual(identifyBatch(framed(fields())), identity);
    assert.equal(identifyBatch(framed(fields().set(6, 0)))?.sequence, 0);
  });

  it('names nothing where the checksum or a part of the name is wrong', () => {
    const flipped = Buffer.from(framed(fields()));
    flipped[20] ^= 1;
    const wrong: [number, unknown][] = [
      [1, 'Truck'],
      [2, Buffer.alloc(7)],
      [4, 5],
      [6, -1],
      [6, 0.5],
      [6, undefined],
    ];
    for (const [key, value] of wrong) {
      assert.equal(identifyBatch(framed(fields().set(key, value))), undefined);
    }
    for (const bytes of [flipped, Buffer.alloc(0), Buffer.from('no batch'), framed(new Map())]) {
      assert.equal(identifyBatch(bytes), undefined);
    }
  });
});
