import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isFleetlogError } from '@fleetlog/shared/errors';
import { parseDbc } from '#cloud/signals/dbc/parser.js';

const words = 'BO_ |SG_ |CM_ |VAL_ |BA_ |BA_DEF_ |SG_MUL_VAL_ |NS_ :|BU_:|BS_:|VERSION |M|m1|m2M'.split('|');
const marks = ['"', '\\"', ';', ':', '|', '@', '(', ')', '[', ']', ',', '-', '+', '\n', '\r\n', ' ', '//'];
const numbers = '0 1 8 -1 4294967295 1e400 99999999999999999999 ä \u0000 \ufeff'.split(' ');
const lines = [
  ' SG_ A : 0|8@1+ (1,0) [0|0] "" X\n',
  'BO_ 1 A: 8 X\n',
  'SG_MUL_VAL_ 1 A A 0-1;\n',
  'VAL_ 1 A 0 "x" ;\n',
];
const pieces = fc.oneof(
  fc.constantFrom(...words, ...marks, ...numbers, ...lines),
  fc.string({ maxLength: 8 }),
);

/** Throws anything but a plain refusal. */
function parse(bytes: Uint8Array): void {
  try {
    parseDbc(bytes);
  } catch (error) {
    if (!isFleetlogError(error, 'FLEETLOG_DATABASE')) throw error;
  }
}

describe('DBC parser and hostile text', () => {
  it('ends in a database or a plain refusal, whatever it is given', () => {
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 200 }), (parts) => parse(Buffer.from(parts.join('')))),
      { numRuns: 2000 },
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 500 }), parse), { numRuns: 500 });
  });

  const endless: [string, string][] = [
    ['escaped quotes', '"\\"'],
    ['open strings', 'CM_ "\\";'],
    ['escaped quotes and spaces', `CM_ "\\"${' '.repeat(50)}`],
    ['messages', 'BO_ 1 A: 8 X\n'],
    ['broken messages', 'BO_ x\n'],
    ['signals', ' SG_ A : 0|8@1+ (1,0) [0|0] "" X\n'],
    ['labels', 'VAL_ 1 A 0 "x" ;\n'],
    ['attributes', 'BA_ "x" BO_ 1 1;\n'],
    ['ranges', 'SG_MUL_VAL_ 1 A A 0-1;\n'],
    ['new symbols', 'NS_ : a b\n'],
    ['comments', '// \n'],
    ['numbers', '1.e'],
    ['marks', '@'],
  ];
  for (const [what, piece] of endless) {
    it(`takes time in proportion to the text: ${what}`, () => {
      const text = Buffer.from(
        `BO_ 1 A: 8 X\n SG_ A : 0|8@1+ (1,0) [0|0] "" X\n${piece.repeat(Math.floor(3_000_000 / piece.length))}`,
      );
      // Well below a second where nobody else uses the machine; anything quadratic takes from 20 s to many minutes.
      let ms = Infinity;
      for (let round = 0; round < 3 && ms > 5000; round++) {
        const start = performance.now();
        parse(text);
        ms = performance.now() - start;
      }
      assert.ok(ms <= 5000, `${ms.toFixed(0)} ms for ${text.length} bytes`);
    });
  }
});
