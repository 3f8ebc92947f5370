import assert from 'node:assert/strict';
import {
  decodeGap,
  encodeGap,
  gapCauses,
  limits,
  type EncodedPayload,
  type GapDetails,
} from '@fleetlog/shared/batch';
import { assertRefused, cbor, sent } from '../support/batches.js';

const facts = { kind: 'can', recordCount: -1, firstTimeUs: 5, lastTimeUs: 9 } as const;

describe('gap-1', () => {
  it('every cause comes out with its detail, range and facts', () => {
    for (const cause of gapCauses) {
      const details = { cause, detail: `because of ${cause}: ä` };
      const batch = sent(encodeGap(details, facts), { sequence: 5, lastSequence: 2 ** 33 });
      assert.deepEqual(decodeGap(batch), details);
      assert.equal(batch.header.lastSequence, 2 ** 33);
      assert.equal(batch.header.recordCount, -1);
    }
  });

  it('a gap may stand for more records than a batch may hold', () => {
    const batch = sent(encodeGap({ cause: 'expired', detail: '' }, { ...facts, recordCount: 2 ** 40 }));
    assert.equal(batch.header.recordCount, 2 ** 40);
  });

  it('a long detail is cut, at a whole character', () => {
    const emoji = '\u{1f69a}'; // two units of UTF-16
    const encoded = encodeGap({ cause: 'corrupt', detail: `x${emoji.repeat(1000)}` }, facts);
    const { detail } = decodeGap(sent(encoded));
    assert.ok(detail.length <= limits.gapDetailCharsMax && detail.length > limits.gapDetailCharsMax - 3);
    assert.ok(!detail.includes('\ufffd'), 'no half character');
  });

  it('what is no explanation of a gap is refused', () => {
    const raw = (payload: Uint8Array, rawBytes = payload.length): (() => GapDetails) => {
      const encoded: EncodedPayload = { ...facts, codec: 'gap-1', payload, rawBytes };
      return () => decodeGap(sent(encoded));
    };
    const map = (...entries: [unknown, unknown][]): Uint8Array => cbor(new Map(entries));
    raw(map([0, 'expired'], [1, ''], [2, 'a field of later writers']))();
    const refused: Record<string, () => GapDetails> = {
      nothing: raw(Buffer.alloc(0)),
      'a list': raw(cbor(['expired', ''])),
      'an unknown cause': raw(map([0, 'gremlins'], [1, ''])),
      'no cause': raw(map([1, ''])),
      'a cause by number': raw(map([0, 1], [1, ''])),
      'no detail': raw(map([0, 'expired'])),
      'a detail of bytes': raw(map([0, 'expired'], [1, Buffer.alloc(1)])),
      'a detail over the limit': raw(map([0, 'expired'], [1, 'x'.repeat(limits.gapDetailCharsMax + 1)])),
      'a wrong raw length': raw(map([0, 'expired'], [1, '']), 3),
    };
    for (const [what, decode] of Object.entries(refused)) {
      assert.throws(decode, { code: 'FLEETLOG_BATCH_MALFORMED' }, what);
    }
    const batch = sent(encodeGap({ cause: 'expired', detail: '' }, facts));
    const other = { ...batch, header: { ...batch.header, codec: 'can-1' as const } };
    assertRefused(() => decodeGap(other), 'FLEETLOG_BATCH_CODEC');
  });
});
