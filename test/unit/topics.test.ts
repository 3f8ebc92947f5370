import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  ackRangesMax,
  decodeAck,
  decodeStatus,
  encodeMessage,
  parseTopic,
  topics,
  type Ack,
  type GatewayStatus,
} from '@fleetlog/shared/topics';
import { isFleetlogError } from '@fleetlog/shared/errors';
import { RangeSet } from '@fleetlog/shared/util';
import { cbor } from '../support/batches.js';

const epoch = '0011223344556677';
const ack: Ack = {
  epoch,
  streams: {
    can0: { held: [0, 5, 7, 2 ** 52] },
    gps0: {
      held: [],
      refused: [{ sequence: 2 ** 40, code: 'FLEETLOG_BATCH_VERSION', reason: 'Ein späteres Format.' }],
    },
  },
};
const status: GatewayStatus = {
  connected: true,
  epoch,
  version: '0.1.0',
  timeUs: 1_790_000_000_000_001,
  streams: { can0: { kind: 'can', first: 2 ** 33, next: 2 ** 33 + 5, bytes: 2 ** 35, discarded: 0 } },
};

/** The same message with one value replaced (undefined: removed), as a hostile sender could write it. */
function changed(message: object, path: string[], value: unknown): Uint8Array {
  const copy = structuredClone(message) as Record<string, unknown>;
  let at = copy;
  for (const name of path.slice(0, -1)) at = at[name] as Record<string, unknown>;
  const last = path.at(-1) ?? '';
  if (value === undefined) delete at[last];
  else at[last] = value;
  return cbor(copy);
}

describe('topics', () => {
  it('what is built is parsed', () => {
    assert.deepEqual(parseTopic(topics.up('truck-1', 'can_0')), {
      type: 'up',
      gateway: 'truck-1',
      stream: 'can_0',
    });
    assert.deepEqual(parseTopic(topics.ack('a')), { type: 'ack', gateway: 'a' });
    assert.deepEqual(parseTopic(topics.status('0')), { type: 'status', gateway: '0' });
    assert.ok(topics.up('a', 'b').startsWith(topics.prefix('a')));
    assert.ok(!topics.up('ab', 'b').startsWith(topics.prefix('a')), "no gateway's prefix covers another's");
  });

  for (const topic of [
    '',
    '/',
    'fleetlog',
    'fleetlog/v1',
    'fleetlog/v1/truck',
    'fleetlog/v1/truck/up',
    'fleetlog/v1/truck/up/',
    'fleetlog/v1/truck/up/can0/more',
    'fleetlog/v1/truck/up/can0/',
    'fleetlog/v1/truck/ack/',
    'fleetlog/v1/truck/status/can0',
    'fleetlog/v1/truck/down/config',
    'fleetlog/v2/truck/up/can0',
    'Fleetlog/v1/truck/up/can0',
    '/fleetlog/v1/truck/up/can0',
    'fleetlog/v1//up/can0',
    'fleetlog/v1/Truck/up/can0',
    'fleetlog/v1/+/up/can0',
    'fleetlog/v1/truck/up/#',
    'fleetlog/v1/-truck/up/can0',
    'fleetlog/v1/truck\n/up/can0',
    'fleetlog/v1/truck/up/can0\n',
    `fleetlog/v1/${'a'.repeat(64)}/up/can0`,
    `fleetlog/v1/truck/up/${'a'.repeat(64)}`,
    '$share/group/fleetlog/v1/truck/up/can0',
  ]) {
    it(`${JSON.stringify(topic).slice(0, 60)} is no topic of ours`, () =>
      assert.equal(parseTopic(topic), undefined));
  }

  it('any topic is parsed or undefined', () => {
    fc.assert(fc.property(fc.string(), (text) => assert.equal(parseTopic(text), undefined)));
  });
});

describe('acknowledgement', () => {
  it('comes out as it went in', () => assert.deepEqual(decodeAck(encodeMessage(ack)), ack));

  it('an absent list of refusals stays absent', () => {
    const bytes = encodeMessage({
      epoch,
      streams: { can0: { held: [1, 1], refused: undefined } },
    } as unknown as Ack);
    assert.deepEqual(decodeAck(bytes), { epoch, streams: { can0: { held: [1, 1] } } });
  });

  it('with as many ranges as are ever sent comes out, and its ranges are those of a RangeSet', () => {
    const set = new RangeSet();
    for (let i = 0; i < ackRangesMax; i++) set.add(2 ** 40 + 3 * i, 2 ** 40 + 3 * i + 1);
    const { held } = decodeAck(encodeMessage({ epoch, streams: { can0: { held: set.toFlat() } } })).streams[
      'can0'
    ];
    assert.deepEqual(RangeSet.fromFlat(held), set);
  });

  it('large numbers travel as integers, and as floats are understood', () => {
    assert.equal(Buffer.from(encodeMessage(ack)).toString('hex').includes('fb'), false, 'no float64');
    const floats = cbor({ epoch, streams: { can0: { held: [2 ** 40, 2 ** 41] } } });
    assert.ok(Buffer.from(floats).toString('hex').includes('fb'));
    assert.deepEqual(decodeAck(floats).streams['can0'].held, [2 ** 40, 2 ** 41]);
  });

  it('fields of later versions are ignored', () => {
    assert.deepEqual(decodeAck(changed(ack, ['note'], [1])), ack);
    assert.deepEqual(decodeAck(changed(ack, ['streams', 'can0', 'note'], 'x')), ack);
  });

  const wrong: [string, string[], unknown][] = [
    ['no epoch', ['epoch'], undefined],
    ['an epoch that is none', ['epoch'], 'xyz'],
    ['no streams', ['streams'], undefined],
    ['streams as a list', ['streams'], []],
    ['a stream of another name', ['streams', 'CAN0'], { held: [] }],
    ['a stream named __proto_', ['streams', '__proto_'], { held: [] }],
    ['a stream that is a number', ['streams', 'can0'], 1],
    ['no ranges', ['streams', 'can0', 'held'], undefined],
    ['ranges as text', ['streams', 'can0', 'held'], '0-5'],
    ['half a range', ['streams', 'can0', 'held'], [0]],
    ['a range that runs back', ['streams', 'can0', 'held'], [5, 4]],
    ['ranges out of order', ['streams', 'can0', 'held'], [5, 6, 0, 1]],
    ['ranges that touch', ['streams', 'can0', 'held'], [0, 1, 2, 3]],
    ['a negative sequence', ['streams', 'can0', 'held'], [-1, 3]],
    ['a fraction', ['streams', 'can0', 'held'], [0, 1.5]],
    ['a sequence over 2^53', ['streams', 'can0', 'held'], [0, 2n ** 60n]],
    ['a sequence that is text', ['streams', 'can0', 'held'], ['0', '1']],
    ['refusals as a map', ['streams', 'gps0', 'refused'], {}],
    ['a refusal that is a number', ['streams', 'gps0', 'refused'], [1]],
    ['a refusal without sequence', ['streams', 'gps0', 'refused'], [{ code: 'a', reason: 'b' }]],
    [
      'a refusal whose code is no text',
      ['streams', 'gps0', 'refused'],
      [{ sequence: 1, code: 1, reason: 'b' }],
    ],
    ['a refusal without reason', ['streams', 'gps0', 'refused'], [{ sequence: 1, code: 'a' }]],
    [
      'an endless reason',
      ['streams', 'gps0', 'refused'],
      [{ sequence: 1, code: 'a', reason: 'b'.repeat(2000) }],
    ],
  ];
  for (const [what, path, value] of wrong) {
    it(`with ${what} is refused`, () => {
      assert.throws(() => decodeAck(changed(ack, path, value)), { code: 'FLEETLOG_MESSAGE_MALFORMED' });
    });
  }
});

describe('gateway status', () => {
  it('comes out as it went in', () => {
    assert.deepEqual(decodeStatus(encodeMessage(status)), status);
    const rescuing = { ...status, rescuing: ['0011223344556677'] };
    assert.deepEqual(decodeStatus(encodeMessage(rescuing)), rescuing);
  });

  const wrong: [string, string[], unknown][] = [
    ['an earlier epoch that is none', ['rescuing'], ['x']],
    ['no epoch', ['epoch'], undefined],
    ['connected as a number', ['connected'], 1],
    ['no version', ['version'], undefined],
    ['an endless version', ['version'], '1'.repeat(65)],
    ['no time', ['timeUs'], undefined],
    ['a time as text', ['timeUs'], 'now'],
    ['an infinite time', ['timeUs'], Infinity],
    ['streams as a list', ['streams'], []],
    ['a stream of another name', ['streams', 'a/b'], status.streams['can0']],
    ['no kind', ['streams', 'can0', 'kind'], undefined],
    ['a negative first', ['streams', 'can0', 'first'], -1],
    ['no next', ['streams', 'can0', 'next'], undefined],
    ['bytes as text', ['streams', 'can0', 'bytes'], '5'],
    ['no count of discarded batches', ['streams', 'can0', 'discarded'], undefined],
  ];
  for (const [what, path, value] of wrong) {
    it(`with ${what} is refused`, () => {
      assert.throws(() => decodeStatus(changed(status, path, value)), { code: 'FLEETLOG_MESSAGE_MALFORMED' });
    });
  }
});

describe('hostile messages', () => {
  const decodesOrIsRefused = (bytes: Uint8Array): boolean => {
    let decoded = false;
    for (const decode of [decodeAck, decodeStatus]) {
      try {
        decode(bytes);
        decoded = true;
      } catch (error) {
        if (!isFleetlogError(error, 'FLEETLOG_MESSAGE_MALFORMED')) throw error;
      }
    }
    return decoded;
  };

  it('random bytes and CBOR of any shape are refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.object(), (bytes, object) => {
        assert.equal(decodesOrIsRefused(bytes), false);
        assert.equal(decodesOrIsRefused(cbor(object)), false);
      }),
      { numRuns: 2000 },
    );
  });

  it('mutated messages are read within the contract or refused', () => {
    const change = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(
        fc.constantFrom(ack, status),
        fc.array(change, { minLength: 1, maxLength: 4 }),
        (message, changes) => {
          const bytes = Buffer.from(encodeMessage(message));
          for (const [place, value] of changes) bytes[place % bytes.length] = value;
          decodesOrIsRefused(bytes);
        },
      ),
      { numRuns: 5000 },
    );
  });

  it('tags, nesting and size cost nothing', () => {
    const nested = Buffer.alloc(200_000, 0x81);
    const bignum = Buffer.concat([
      Buffer.from('a1 65 65706f6368 c25a00020000'.replaceAll(' ', ''), 'hex'),
      Buffer.alloc(131_072, 0xff),
    ]);
    const large = encodeMessage({
      epoch,
      streams: { can0: { held: Array.from({ length: 60_000 }, (_, i) => 2 ** 40 + 2 * i) } },
    });
    const cpu = process.cpuUsage();
    for (const bytes of [nested, bignum, large, Buffer.alloc(0)])
      assert.equal(decodesOrIsRefused(bytes), false);
    assert.ok(process.cpuUsage(cpu).user < 500_000);
  });
});
