import assert from 'node:assert/strict';
import {
  compress,
  decodeEvents,
  encodeEvents,
  limits,
  type BatchHeader,
  type EventRecord,
} from '@fleetlog/shared/batch';
import { assertRefused, cbor, sent } from '../support/batches.js';

const baseUs = 1_790_000_000_000_000;
const event = (changes: Partial<EventRecord> = {}): EventRecord => ({
  timeUs: baseUs,
  type: 'source.started',
  attributes: {},
  ...changes,
});
const throughTheWire = (records: EventRecord[]): EventRecord[] => decodeEvents(sent(encodeEvents(records)));

describe('events-1', () => {
  it('events come out as they went in', () => {
    const records = [
      event({ attributes: { text: 'ä\n\0', empty: '', yes: true, no: false, nothing: null } }),
      event({
        timeUs: baseUs - 1,
        type: 'a',
        attributes: { small: -1, large: 2 ** 53 - 1, fraction: 0.1, '': 1e300 },
      }),
      event({ timeUs: 0, type: 'clock.step_up.by-hand', attributes: { from: -(2 ** 40), to: baseUs } }),
    ];
    assert.deepEqual(throughTheWire(records), records);
  });

  it('an attribute named like a part of every object is an attribute', () => {
    const attributes = JSON.parse(
      '{"__proto__": 1, "constructor": "x", "toString": null}',
    ) as EventRecord['attributes'];
    const [decoded] = throughTheWire([event({ attributes })]);
    assert.deepEqual(Object.entries(decoded.attributes), Object.entries(attributes));
    assert.equal(Object.getPrototypeOf(decoded.attributes), Object.prototype);
  });

  it('says the facts of the batch; an empty one is a batch', () => {
    const encoded = encodeEvents([event(), event({ timeUs: baseUs - 9 }), event({ timeUs: baseUs + 9 })]);
    assert.equal(encoded.recordCount, 3);
    assert.equal(encoded.firstTimeUs, baseUs - 9);
    assert.equal(encoded.lastTimeUs, baseUs + 9);
    assert.deepEqual(throughTheWire([]), []);
    const slot = sent(encodeEvents([]), { firstTimeUs: 5, lastTimeUs: 9 });
    assert.deepEqual(decodeEvents(slot), [], 'an empty batch may stand for any time');
  });

  it('events that no reader would take are not written', () => {
    const attributes = Object.fromEntries(
      Array.from({ length: limits.eventAttributesMax + 1 }, (_, i) => [`a${i}`, i]),
    );
    assertRefused(() => encodeEvents([event({ attributes })]), 'FLEETLOG_BATCH_LIMIT');
    assertRefused(() => encodeEvents(Array(limits.eventsMax + 1).fill(event())), 'FLEETLOG_BATCH_LIMIT');
    const large = event({ attributes: Object.fromEntries(Object.entries(attributes).slice(1)) });
    assertRefused(() => encodeEvents(Array(limits.eventsMax).fill(large)), 'FLEETLOG_BATCH_LIMIT');
    assert.equal(throughTheWire(Array(900).fill(large)).length, 900);
    assert.equal(throughTheWire(Array(limits.eventsMax).fill(event())).length, limits.eventsMax);
    assertRefused(() => encodeEvents([event({ type: 'two words' })]), 'FLEETLOG_BATCH_MALFORMED');
    assertRefused(() => encodeEvents([event({ type: '' })]), 'FLEETLOG_BATCH_MALFORMED');
    assertRefused(() => encodeEvents([event({ timeUs: 0.5 })]), 'FLEETLOG_BATCH_MALFORMED');
    const nested = { list: [] } as unknown as EventRecord['attributes'];
    assertRefused(() => encodeEvents([event({ attributes: nested })]), 'FLEETLOG_BATCH_MALFORMED');
  });

  const raw = (content: Uint8Array, changes: Partial<BatchHeader> = {}): (() => EventRecord[]) => {
    const facts = { recordCount: 1, firstTimeUs: 5, lastTimeUs: 5 };
    const encoded = {
      kind: 'events',
      codec: 'events-1',
      payload: compress(content),
      rawBytes: content.length,
    } as const;
    return () => decodeEvents(sent({ ...facts, ...encoded }, changes));
  };
  const written = (value: unknown, changes?: Partial<BatchHeader>) => raw(cbor(value), changes);

  it('what is no list of events within the header is refused', () => {
    written([[5, 'a', new Map([['b', 1]])]])();
    const refused: Record<string, () => EventRecord[]> = {
      'no CBOR': raw(Buffer.from('ff', 'hex')),
      'no list': written(new Map()),
      'another count': written([]),
      'an event that is no list': written([5]),
      'an event of two parts': written([[5, 'a']]),
      'a time as text': written([['5', 'a', new Map()]]),
      'a time outside the header': written([[6, 'a', new Map()]]),
      'a type that is no text': written([[5, 6, new Map()]]),
      'a type of 129 characters': written([[5, 'a'.repeat(129), new Map()]]),
      'attributes as a list': written([[5, 'a', []]]),
      'an attribute name that is no text': written([[5, 'a', new Map([[1, 1]])]]),
      'an attribute that is a list': written([[5, 'a', new Map([['b', []]])]]),
      'an attribute that is bytes': written([[5, 'a', new Map([['b', Buffer.alloc(1)]])]]),
      'an attribute over 2^53': written([[5, 'a', new Map([['b', 2n ** 63n]])]]),
      'a tag': raw(Buffer.from('81 83 05 61 61 c2 41 01'.replaceAll(' ', ''), 'hex')),
      'too many items': raw(
        Buffer.concat([Buffer.from('81830561619a00030000', 'hex'), Buffer.alloc(0x3_0000, 0xa0)]),
      ),
      'something behind the list': raw(Buffer.concat([cbor([[5, 'a', new Map()]]), Uint8Array.of(0)])),
    };
    assertRefused(written([], { recordCount: limits.eventsMax + 1 }), 'FLEETLOG_BATCH_LIMIT');
    for (const [what, decode] of Object.entries(refused)) {
      assert.throws(decode, { code: 'FLEETLOG_BATCH_MALFORMED' }, what);
    }
  });
});
