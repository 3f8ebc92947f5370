import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isoMicros } from '#cloud/export/iso-time.js';
import { RowBytes } from '#cloud/query/row-bytes.js';

type Piece = { time: number } | { number: number } | { text: string };

const textOf = (piece: Piece): string => {
  if ('time' in piece) return isoMicros(piece.time);
  return 'number' in piece ? String(piece.number) : piece.text;
};

function put(out: RowBytes, piece: Piece): void {
  if ('time' in piece) out.time(piece.time);
  else if ('number' in piece) out.number(piece.number);
  else out.text(piece.text);
}

describe('rows as bytes', () => {
  it('are what times, numbers and text are as strings, whatever came before', () => {
    const startUs = Date.UTC(2026, 10, 5) * 1000;
    const time = fc.oneof(
      fc.integer({ min: startUs - 3_000_000, max: startUs + 3_000_000 }),
      fc.maxSafeInteger(),
      fc.integer({ min: -3_000_000, max: 3_000_000 }),
    );
    const number = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(0, -0, NaN, 0.1, 1e21, 5e-324));
    const piece = fc.oneof<fc.Arbitrary<Piece>[]>(
      fc.record({ time }),
      fc.record({ number }),
      fc.record({ text: fc.string({ unit: 'grapheme' }) }),
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 60 }),
        fc.integer({ min: 1, max: 200 }),
        (pieces, bytesMin) => {
          const out = new RowBytes(bytesMin);
          const taken: Uint8Array[] = [];
          for (const [i, one] of pieces.entries()) {
            put(out, one);
            if (i % 20 === 19) taken.push(out.take());
          }
          taken.push(out.take());
          assert.equal(Buffer.concat(taken).toString(), pieces.map(textOf).join(''));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('belong to whoever takes them', () => {
    const out = new RowBytes(64);
    out.text('first');
    const first = out.take();
    out.text('second');
    assert.equal(Buffer.from(first).toString(), 'first');
  });
});
