import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Message, Signal } from '#cloud/signals/dbc/model.js';
import { SignalDecoder } from '#cloud/signals/decode/decoder.js';
import { parseText } from '../support/dbc.js';
import { framesOf, referenceValue, setBits } from '../support/reference-decoder.js';

interface Drawn {
  startBit: number;
  length: number;
  isBigEndian: boolean;
  raw: 'unsigned' | 'signed' | 'float' | 'double';
  factor: number;
  offset: number;
  /** Multiplexor by number of the signal, always an earlier one; and values. */
  parent: number;
  ranges: [number, number][];
}

const scale = fc.oneof(
  fc.constantFrom(1, -1, 0.5, 0.01, 1e-7, 1e9),
  fc.double({ min: -1e6, max: 1e6, noNaN: true }).filter((factor) => factor !== 0),
);

const drawn = fc.record<Drawn>({
  startBit: fc.nat({ max: 127 }),
  length: fc.oneof(fc.integer({ min: 1, max: 64 }), fc.constantFrom(1, 8, 16, 31, 32, 33, 63, 64)),
  isBigEndian: fc.boolean(),
  raw: fc.constantFrom('unsigned', 'signed', 'float', 'double'),
  factor: scale,
  offset: fc.oneof(fc.constant(0), fc.double({ min: -1e6, max: 1e6, noNaN: true })),
  parent: fc.integer({ min: -3, max: 5 }),
  ranges: fc.array(
    fc
      .tuple(fc.nat({ max: 8 }), fc.nat({ max: 3 }))
      .map(([first, more]): [number, number] => [first, first + more]),
    { minLength: 1, maxLength: 3 },
  ),
});

function messageOf(signals: readonly Drawn[]): Message {
  return {
    name: 'M',
    id: 0x123,
    isExtended: false,
    format: 'standard',
    length: 64,
    sender: '',
    comment: '',
    cycleTimeMs: undefined,
    attributes: new Map(),
    signals: signals.map((one, i): Signal => {
      const isFloat = one.raw === 'float' || one.raw === 'double';
      const isRoot = one.parent < 0 || i === 0;
      return {
        ...one,
        name: `S${i}`,
        length: one.raw === 'float' ? 32 : one.raw === 'double' ? 64 : one.length,
        isMultiplexor: true,
        multiplexing:
          isRoot || isFloat ? undefined : { multiplexor: `S${one.parent % i}`, ranges: one.ranges },
        minimum: NaN,
        maximum: NaN,
        unit: '',
        receivers: [],
        comment: '',
        labels: undefined,
        attributes: new Map(),
      };
    }),
  };
}

const datas = fc.array(
  fc.oneof(fc.uint8Array({ maxLength: 64 }), fc.uint8Array({ minLength: 26, maxLength: 26, max: 9 })),
  { minLength: 1, maxLength: 30 },
);

describe('generated decoder', () => {
  it('gives for any signals and any data what the plain one gives: values, times, and nothing else', () => {
    fc.assert(
      fc.property(fc.array(drawn, { minLength: 1, maxLength: 8 }), datas, (signals, frames) => {
        const message = messageOf(signals);
        const decoder = new SignalDecoder([{ message, signals: message.signals }]);
        decoder.decode(framesOf(message, frames));
        for (const signal of message.signals) {
          const expected = frames.flatMap((data, i) => {
            const value = referenceValue(signal, message, data);
            return value === undefined ? [] : [[1000 * i, value + 0]]; // -0 is 0
          });
          const { count, times, values } = decoder.series(signal);
          const got = Array.from({ length: count }, (_, i) => [times[i], values[i] + 0]);
          assert.deepEqual(got, expected, JSON.stringify({ ...signal, labels: undefined }));
        }
      }),
      { numRuns: 1500 },
    );
  });

  it('gives a part of the signals as it gives all', () => {
    fc.assert(
      fc.property(
        fc.array(drawn, { minLength: 2, maxLength: 8 }),
        datas,
        fc.nat(),
        (signals, frames, pick) => {
          const message = messageOf(signals);
          const chosen = message.signals[pick % message.signals.length];
          const [all, one] = [message.signals, [chosen]].map((wanted) => {
            const decoder = new SignalDecoder([{ message, signals: wanted }]);
            decoder.decode(framesOf(message, frames));
            return decoder.series(chosen);
          });
          assert.deepEqual(one, all);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('reads back what was written into the bits', () => {
    fc.assert(
      fc.property(
        drawn,
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        fc.uint8Array({ minLength: 26, maxLength: 26 }),
        (one, bits, data) => {
          const message = messageOf([
            { ...one, factor: 1, offset: 0, raw: one.raw === 'signed' ? 'signed' : 'unsigned' },
          ]);
          const [signal] = message.signals;
          const written = BigInt.asUintN(signal.length, bits);
          setBits(signal, data, written);
          const decoder = new SignalDecoder([{ message, signals: [signal] }]);
          decoder.decode(framesOf(message, [data]));
          const value = signal.raw === 'signed' ? BigInt.asIntN(signal.length, written) : written;
          assert.equal(decoder.series(signal).values[0], Number(value));
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('runs no text of a database, whatever its names and numbers are', () => {
    const text = fc.string({ maxLength: 30 });
    const evil = fc.constantFrom(
      'globalThis.hit = 1',
      '`${globalThis.hit = 1}`',
      '*/globalThis.hit=1/*',
      '\n}globalThis.hit = 1;{',
    );
    fc.assert(
      fc.property(drawn, fc.oneof(text, evil), fc.oneof(text, evil), (one, name, unit) => {
        const message = messageOf([one, { ...one, parent: 0 }]);
        for (const signal of message.signals) Object.assign(signal, { unit, comment: name });
        message.signals[0].name = name;
        const { multiplexing } = message.signals[1];
        if (multiplexing) multiplexing.multiplexor = name;
        const decoder = new SignalDecoder([{ message, signals: message.signals }]);
        decoder.decode(framesOf(message, [new Uint8Array(64)]));
        assert.equal('hit' in globalThis, false);
      }),
      { numRuns: 300 },
    );
    const message = messageOf([
      {
        startBit: 0,
        length: 8,
        isBigEndian: false,
        raw: 'unsigned',
        factor: 1,
        offset: 0,
        parent: -1,
        ranges: [[0, 0]],
      },
    ]);
    for (const value of [NaN, Infinity, 'globalThis.hit = 1']) {
      Object.assign(message.signals[0], { factor: value });
      assert.throws(() => new SignalDecoder([{ message, signals: message.signals }]), /not finite/);
    }
  });

  it('decodes what the parser read, cascades of multiplexors included', () => {
    const { database } = parseText(
      'BO_ 256 M: 8 X\n SG_ A M : 0|8@1+ (1,0) [0|0] "" X\n SG_ B m2M : 8|8@1+ (1,0) [0|0] "" X\n' +
        ' SG_ C m0 : 16|16@1- (0.5,1) [0|0] "" X\nSG_MUL_VAL_ 256 C B 3-5,9-9;\n',
    );
    const [message] = database.messages;
    const decoder = new SignalDecoder([{ message, signals: message.signals }]);
    const rows = [
      [2, 3, 0xfe, 0xff],
      [2, 6, 0xfe, 0xff],
      [1, 3, 0xfe, 0xff],
      [2, 9, 2, 0],
      [2, 9, 2],
    ];
    decoder.decode(
      framesOf(
        message,
        rows.map((row) => Uint8Array.from(row)),
      ),
    );
    const { values, tooShort } = decoder.series(message.signals[2]);
    assert.deepEqual([...values], [0, 2]);
    assert.equal(tooShort, 1);
  });
});
