import assert from 'node:assert/strict';
import fc from 'fast-check';
import { LifeSigns } from '#cloud/cli/fleetlog-tail.js';

describe('signs of life in a tail', () => {
  it('are taken out, and nothing else, in whatever chunks the lines come', () => {
    const lines = fc.array(fc.string({ maxLength: 5 }).map((text) => text.replaceAll('\n', '.')));
    fc.assert(
      fc.property(lines, fc.infiniteStream(fc.integer({ min: 1, max: 7 })), (texts, lengths) => {
        const bytes = Buffer.from(texts.map((text) => `${text}\n`).join(''));
        const life = new LifeSigns();
        const out: Uint8Array[] = [];
        for (let at = 0; at < bytes.length;) {
          const length: number = lengths.next().value!;
          out.push(life.remove(bytes.subarray(at, at + length)));
          at += length;
        }
        const expected = texts.filter((text) => text).map((text) => `${text}\n`);
        assert.equal(Buffer.concat(out).toString(), expected.join(''));
      }),
    );
  });
});
