import assert from 'node:assert/strict';
import { constants, zstdCompressSync } from 'node:zlib';
import { compress, decompress, limits } from '@fleetlog/shared/batch';
import { assertRefused } from '../support/batches.js';

describe('zstd frames of payloads', () => {
  // Around each length at which the frame's header writes its size in another form (RFC 8878, 3.1.1.1.4).
  const lengths = [0, 1, 254, 255, 256, 257, 65_535, 65_791, 65_792, 1_000_000, limits.rawBytesMax];

  for (const length of lengths) {
    it(`${length} bytes come out as they went in, and no other length is believed`, () => {
      const raw = Buffer.alloc(length, 'some text that repeats ');
      const frame = compress(raw);
      assert.equal(Buffer.compare(decompress(frame, length), raw), 0);
      for (const claimed of [length - 1, length + 1, length + 256, length * 256]) {
        if (claimed === length) continue;
        assertRefused(() => decompress(frame, claimed), 'FLEETLOG_BATCH_MALFORMED', 'FLEETLOG_BATCH_LIMIT');
      }
    });
  }

  it('frames of other writers read: any level, with a window, with a checksum', () => {
    const raw = Buffer.alloc(300_000, 'some text that repeats ');
    for (const params of [
      { [constants.ZSTD_c_compressionLevel]: 19 },
      { [constants.ZSTD_c_windowLog]: 12 },
      { [constants.ZSTD_c_checksumFlag]: 1 },
    ]) {
      assert.equal(Buffer.compare(decompress(zstdCompressSync(raw, { params }), raw.length), raw), 0);
    }
  });

  it('what does not compress grows by little', () => {
    const random = crypto.getRandomValues(new Uint8Array(60_000));
    assert.ok(compress(random).length < 60_100);
    assert.equal(Buffer.compare(decompress(compress(random), 60_000), random), 0);
  });

  it('each of the first bytes counts', () => {
    const frame = compress(Buffer.alloc(300, 'x'));
    for (let at = 0; at < 7; at++) {
      const damaged = Buffer.from(frame);
      damaged[at] ^= 0xff;
      assertRefused(() => decompress(damaged, 300), 'FLEETLOG_BATCH_MALFORMED');
    }
    for (let length = 0; length < frame.length; length++) {
      assertRefused(() => decompress(frame.subarray(0, length), 300), 'FLEETLOG_BATCH_MALFORMED');
    }
  });

  it('a frame that wants a dictionary is refused', () => {
    const dictionary = Buffer.from('28b52ffd 21 05 03 190000 616263'.replaceAll(' ', ''), 'hex');
    assertRefused(() => decompress(dictionary, 3), 'FLEETLOG_BATCH_MALFORMED');
  });
});
