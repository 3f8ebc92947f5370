import assert from 'node:assert/strict';
import { constants, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import {
  compress,
  decodeBatch,
  decodeLines,
  decompress,
  limits,
  type Batch,
  type BatchHeader,
  type CodecName,
  type EncodedPayload,
} from '@fleetlog/shared/batch';
import { CanFrames, encodeCan, FRAME_FD } from '@fleetlog/shared/can';
import { isDataError } from '@fleetlog/shared/errors';
import { corpus } from '../support/batch-corpus.js';
import { assertRefused, cbor, frame, headerFor, repairChecksum, seal, sent } from '../support/batches.js';
import { decodeRecords, decodesOrIsRefused } from '../support/decode-any.js';

const payloads = corpus();
const batches = payloads.map((payload) => seal(payload));
const payloadOf = (codec: CodecName): EncodedPayload =>
  payloads.find((payload) => payload.codec === codec) ?? assert.fail(codec);
/** Codecs whose whole payload is one zstd frame. */
const zstdCodecs: CodecName[] = ['lines-1', 'samples-1', 'events-1'];
const headerOf = Object.fromEntries(payloads.map((payload) => [payload.codec, headerFor(payload)]));

/** One change to some bytes; `place` and `value` are taken modulo what is there. */
interface Mutation {
  type: 'flip' | 'set' | 'copy' | 'remove' | 'repeat' | 'cut';
  place: number;
  value: number;
}
const mutations: fc.Arbitrary<Mutation[]> = fc.array(
  fc.record({
    type: fc.constantFrom('flip', 'flip', 'set', 'set', 'copy', 'remove', 'repeat', 'cut'),
    place: fc.nat(),
    value: fc.oneof(fc.nat(), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff, 0x1f, 0x5f, 0x9f, 0xbf, 0xc2, 0xfb)),
  }),
  { minLength: 1, maxLength: 6 },
);

function mutated(bytes: Uint8Array, changes: Mutation[]): Buffer {
  let out = Buffer.from(bytes);
  for (const { type, place, value } of changes) {
    if (out.length === 0) break;
    const at = place % out.length;
    const length = 1 + (value % 9);
    if (type === 'flip') out[at] ^= 1 << (value & 7);
    else if (type === 'set') out[at] = value;
    else if (type === 'copy') out.copy(out, at, value % out.length);
    else if (type === 'remove') out = Buffer.concat([out.subarray(0, at), out.subarray(at + length)]);
    else if (type === 'repeat') out = Buffer.concat([out.subarray(0, at + length), out.subarray(at)]);
    else if (value % 4 === 0) out = out.subarray(0, at); // rare: the rest has nothing left to reach
  }
  return out;
}

/** What an action allocates outside of the heap, at most (garbage that goes meanwhile isn't counted), and its CPU. */
function costOf(action: () => void): { bytes: number; cpuMs: number } {
  const bytes = process.memoryUsage().arrayBuffers;
  const cpu = process.cpuUsage();
  action();
  const { user, system } = process.cpuUsage(cpu);
  return { bytes: process.memoryUsage().arrayBuffers - bytes, cpuMs: (user + system) / 1000 };
}

describe('hostile batches: a typed refusal or a value within the limits', () => {
  it('the corpus itself decodes, so that what follows starts from valid batches', () => {
    for (const bytes of batches) assert.ok(decodesOrIsRefused(bytes));
  });

  it('random bytes, as they are and framed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        assert.equal(decodesOrIsRefused(bytes), false);
        decodesOrIsRefused(repairChecksum(bytes));
        decodesOrIsRefused(frame(bytes, Uint8Array.of(0x40)));
      }),
      { numRuns: 3000 },
    );
  });

  for (const [i, { codec }] of payloads.entries()) {
    it(`mutated ${codec} batches with the checksum repaired`, () => {
      fc.assert(
        fc.property(mutations, (changes) => {
          decodesOrIsRefused(repairChecksum(mutated(batches[i], changes)));
        }),
        { numRuns: 3000 },
      );
    });

    it(`mutated content of ${codec}, compressed again where it is, so that the decoder behind zstd is reached`, () => {
      const payload = payloads[i];
      const isCompressed = zstdCodecs.includes(codec);
      const content = isCompressed ? decompress(payload.payload, payload.rawBytes) : payload.payload;
      let accepted = 0;
      fc.assert(
        fc.property(mutations, fc.integer({ min: -2, max: 2 }), (changes, more) => {
          const raw = mutated(content, changes);
          const header = {
            rawBytes: raw.length,
            recordCount: Math.max(0, payload.recordCount + (more === 2 ? 1 : more === -2 ? -1 : 0)),
          };
          const changed = { ...payload, payload: isCompressed ? compress(raw) : raw };
          if (decodesOrIsRefused(seal(changed, header))) accepted++;
        }),
        { numRuns: 5000 },
      );
      // In can-1 every bit depends on those before it, so that hardly any change goes unnoticed.
      if (codec !== 'can-1') assert.ok(accepted > 0, 'mutations that change values only are read');
    });

    it(`${codec} under the header of any other count, time and length`, () => {
      const number = fc.oneof(fc.nat(100), fc.nat(limits.recordsMax), fc.constant(limits.recordsMax));
      const changes = fc.record(
        {
          recordCount: number,
          rawBytes: fc.oneof(number, fc.constant(limits.rawBytesMax)),
          firstTimeUs: fc.integer({ min: 0, max: 1_790_000_000_000_000 }),
          lastTimeUs: fc.integer({ min: 1_790_000_000_000_000, max: Number.MAX_SAFE_INTEGER }),
        },
        { requiredKeys: [], noNullPrototype: true },
      );
      fc.assert(
        fc.property(changes, (change) => {
          decodesOrIsRefused(seal(payloads[i], change));
        }),
        { numRuns: 1000 },
      );
    });
  }

  it('CBOR of any shape where the header, the payload, events or a gap should be', () => {
    const value = fc.anything({
      withBigInt: true,
      withTypedArray: true,
      withMap: true,
      withSet: true,
      withDate: true,
    });
    fc.assert(
      fc.property(value, (thing) => {
        let bytes: Uint8Array;
        try {
          bytes = cbor(thing);
        } catch {
          return; // cbor-x can't write it
        }
        decodesOrIsRefused(frame(bytes, Uint8Array.of(0x40)));
        const gap = { ...payloads[4], payload: bytes, rawBytes: bytes.length };
        decodesOrIsRefused(seal(gap));
        const events = { ...payloads[3], payload: compress(bytes), rawBytes: bytes.length };
        decodesOrIsRefused(seal(events));
      }),
      { numRuns: 2000 },
    );
  });

  const hostileItems: Record<string, Uint8Array> = {
    'a bignum of 128 KB': Buffer.concat([Buffer.from('c25a00020000', 'hex'), Buffer.alloc(131_072, 0xff)]),
    'a regular expression': Buffer.from('d81b826652656745787066282861292b', 'hex'),
    'a shared value that holds itself': Buffer.from('d81c81d81d00', 'hex'),
    'a reference to nothing': Buffer.from('d81d1903e8', 'hex'),
    'nesting of a megabyte': Buffer.alloc(1 << 20, 0x81),
    'nested maps of a megabyte': Buffer.alloc(1 << 20, 0xa1),
    'nested tags of a megabyte': Buffer.alloc(1 << 20, 0xc1),
    'an array of 2^32 - 1 items': Buffer.from('9affffffff', 'hex'),
    'an array of 2^64 - 1 items': Buffer.from('9bffffffffffffffff', 'hex'),
    'a map of 2^32 - 1 pairs': Buffer.from('baffffffff', 'hex'),
    'a byte string of 2^63 bytes': Buffer.from('5b8000000000000000', 'hex'),
    'a text of 2^32 - 1 bytes': Buffer.from('7affffffff', 'hex'),
    'an array without end': Buffer.concat([Uint8Array.of(0x9f), Buffer.alloc(1 << 20), Uint8Array.of(0xff)]),
    'a text in endless pieces': Buffer.concat([
      Uint8Array.of(0x7f),
      Buffer.alloc(1 << 20, 0x60),
      Uint8Array.of(0xff),
    ]),
    'a megabyte of empty arrays': Buffer.concat([
      Buffer.from('9a00100000', 'hex'),
      Buffer.alloc(1 << 20, 0x80),
    ]),
    'a header of 100,000 keys': cbor(new Map(Array.from({ length: 100_000 }, (_, i) => [i, 0]))),
    'a date': Buffer.from('c11a514b67b0', 'hex'),
    'a packed table': Buffer.from('d8338280d80680', 'hex'),
  };
  for (const [what, item] of Object.entries(hostileItems)) {
    it(`${what} is refused for the price of reading it once`, () => {
      const { bytes, cpuMs } = costOf(() => {
        assertRefused(() => decodeBatch(frame(item, Uint8Array.of(0x40))), 'FLEETLOG_BATCH_MALFORMED');
        const header = headerOf['gap-1'];
        const gap = { header: { ...header, rawBytes: item.length }, payload: item };
        assert.throws(() => decodeRecords(gap), isDataError);
        const events = { ...headerOf['events-1'], rawBytes: item.length };
        assert.throws(() => decodeRecords({ header: events, payload: compress(item) }), isDataError);
      });
      assert.ok(bytes < 16 * item.length + 100_000, `${bytes} bytes`);
      assert.ok(cpuMs < 500, `${cpuMs} ms`);
    });
  }

  it('a repeated key counts once, and __proto__ is a key like any other', () => {
    const repeated = Buffer.from('a3 00 67 65787069726564 01 60 01 61 61'.replaceAll(' ', ''), 'hex');
    const special = cbor(
      new Map<unknown, unknown>([
        [0, 'expired'],
        [1, ''],
        ['__proto__', 'x'],
      ]),
    );
    for (const payload of [repeated, special]) {
      const header: BatchHeader = { ...headerOf['gap-1'], rawBytes: payload.length };
      const details = decodeRecords({ header, payload }) as object;
      assert.deepEqual(Object.keys(details), ['cause', 'detail']);
      assert.equal(Object.getPrototypeOf(details), Object.prototype);
    }
    assert.equal(({} as Record<string, unknown>)['x'], undefined);
  });

  const zeros = Buffer.alloc(limits.rawBytesMax + 1);
  const withPayload = (codec: CodecName, payload: Uint8Array, rawBytes: number): Batch => ({
    header: { ...headerOf[codec], rawBytes },
    payload,
  });

  for (const codec of zstdCodecs) {
    it(`${codec}: a bomb is refused before it is unpacked`, () => {
      const bomb = compress(zeros);
      assert.ok(bomb.length < 20_000);
      const unsaid = withoutContentSize(zeros);
      const { bytes } = costOf(() => {
        for (const rawBytes of [0, 1000, limits.rawBytesMax]) {
          assertRefused(() => decodeRecords(withPayload(codec, bomb, rawBytes)), 'FLEETLOG_BATCH_MALFORMED');
          assertRefused(
            () => decodeRecords(withPayload(codec, unsaid, rawBytes)),
            'FLEETLOG_BATCH_MALFORMED',
          );
        }
        assertRefused(
          () => decodeRecords(withPayload(codec, bomb, limits.rawBytesMax + 1)),
          'FLEETLOG_BATCH_LIMIT',
        );
      });
      assert.ok(bytes < 1_000_000, `${bytes} bytes`);
    });

    it(`${codec}: the largest content that a header may claim costs at most a few times its size`, () => {
      const { bytes, cpuMs } = costOf(() => {
        for (const recordCount of [0, 1, 100_000, limits.recordsMax]) {
          const content = zeros.subarray(1);
          const payload = { ...payloadOf(codec), payload: compress(content), recordCount };
          try {
            decodeRecords(sent(payload, { rawBytes: content.length }));
          } catch (error) {
            if (!isDataError(error)) throw error;
          }
        }
      });
      assert.ok(bytes < 4 * 6 * limits.rawBytesMax, `${bytes} bytes in four decodes`);
      assert.ok(cpuMs < 8000, `${cpuMs} ms`);
    });
  }

  it('can-1: the most frames and data that a header may claim, in a few hundred bytes, cost bounded memory and time', () => {
    const data = new Uint8Array(64);
    for (const [count, length] of [
      [limits.recordsMax, 8],
      [limits.rawBytesMax / 64 - 16, 64],
    ]) {
      const frames = new CanFrames(count, count * length);
      const bus = frames.busIndex('can0');
      for (let i = 0; i < count; i++) {
        frames.append(i, 0x123, length > 8 ? FRAME_FD : 0, length > 8 ? 15 : 8, bus, data, 0, length);
      }
      const payload = encodeCan(frames);
      assert.ok(payload.payload.length < 1000);
      const { bytes, cpuMs } = costOf(() => decodeRecords(sent(payload)));
      assert.ok(bytes < 12 * limits.rawBytesMax, `${bytes} bytes`);
      assert.ok(cpuMs < 10_000, `${cpuMs} ms`);
    }
  });

  it('a frame that lies about its content, or asks for a large window, is refused', () => {
    const content = Buffer.alloc(5000, 'abc');
    const good = compress(content);
    assert.equal(Buffer.compare(decompress(good, 5000), content), 0);
    const lie = (claimed: number): Uint8Array => {
      const bytes = Buffer.from(good);
      assert.equal(bytes[4] & 0xe0, 0x60, 'a frame of one segment with a size of two bytes');
      bytes.writeUInt16LE(claimed - 256, 5);
      return bytes;
    };
    for (const claimed of [256, 4999, 5001, 65_000]) {
      assertRefused(() => decompress(lie(claimed), claimed), 'FLEETLOG_BATCH_MALFORMED');
    }
    // A window of 2 GB is never allocated: what is whole unpacks in one pass, what isn't is refused at the header.
    const window = Buffer.from('28b52ffd80a888130000', 'hex');
    const whole = Buffer.concat([window, good.subarray(7)]);
    assert.equal(Buffer.compare(decompress(whole, 5000), content), 0);
    assert.throws(
      () => decompress(whole.subarray(0, -1), 5000),
      (error: Error) => {
        return isDataError(error) && /window/i.test(String((error.cause as NodeJS.ErrnoException).code));
      },
    );
  });

  it('bytes behind the frame, a second frame, and a skippable frame are refused', () => {
    const good = compress(Buffer.from('content'));
    const skippable = Buffer.from('502a4d180100000000', 'hex');
    for (const bytes of [
      Buffer.concat([good, Uint8Array.of(0)]),
      Buffer.concat([good, good]),
      Buffer.concat([good, skippable]),
      Buffer.concat([skippable, good]),
      good.subarray(0, good.length - 1),
      Buffer.alloc(0),
    ]) {
      assertRefused(() => decompress(bytes, 7), 'FLEETLOG_BATCH_MALFORMED');
    }
  });

  it('a refused batch leaves columns that hold nothing', () => {
    const into = decodeLines(sent(payloads[1]));
    assert.throws(() => decodeLines(sent(payloads[1], { lastTimeUs: 2 ** 52 }), into), isDataError);
    assert.equal(into.count, 0);
    assert.equal(into.textBytes, 0);
  });
});

/** A frame as streaming writers make it, which doesn't say how much it holds. */
function withoutContentSize(content: Uint8Array): Uint8Array {
  return zstdCompressSync(content, { params: { [constants.ZSTD_c_contentSizeFlag]: 0 } });
}
