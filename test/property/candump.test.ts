import assert from 'node:assert/strict';
import fc from 'fast-check';
import { CandumpParser, CanFrames, decodeCan, encodeCan } from '@fleetlog/shared/can';
import { candumpText } from '../support/candump-arbitraries.js';
import { formatCandump, parseCandump } from '../support/candump-text.js';
import { sent } from '../support/batches.js';

describe('candump text, whatever it holds', () => {
  it('comes out of the columns as it went in, but for the malformed lines', () => {
    fc.assert(
      fc.property(candumpText, fc.integer({ min: 1, max: 20 }), (text, framesPerBatch) => {
        const { batches, frameText } = parseCandump(text, new CandumpParser(), framesPerBatch);
        assert.equal(formatCandump(batches), frameText);
      }),
      { numRuns: 1500 },
    );
  });

  it('comes out of encoded batches as it went in', () => {
    const into = new CanFrames(1);
    fc.assert(
      fc.property(candumpText, fc.integer({ min: 1, max: 20 }), (text, framesPerBatch) => {
        const { batches, frameText } = parseCandump(text, new CandumpParser(), framesPerBatch);
        const text2 = batches.map((frames) => formatCandump([decodeCan(sent(encodeCan(frames)), into)]));
        assert.equal(text2.join(''), frameText);
      }),
      { numRuns: 500 },
    );
  });

  it('is never written over by the line behind it: each line alone gives the same frame', () => {
    fc.assert(
      fc.property(candumpText, (text) => {
        const together = parseCandump(text).batches;
        const alone = text
          .split(/(?<=\n)/)
          .flatMap((line) => parseCandump(line).batches)
          .map(frameFacts);
        assert.deepEqual(
          together.flatMap((frames) => Array.from({ length: frames.count }, (_, i) => facts(frames, i))),
          alone,
        );
      }),
      { numRuns: 500 },
    );
  });

  it('never makes the parser fail on mutated or random bytes', () => {
    const mutated = fc
      .tuple(candumpText, fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 10 }))
      .map(([text, changes]) => {
        const bytes = Buffer.from(text, 'latin1');
        for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte;
        return bytes.toString('latin1');
      });
    const noise = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
    fc.assert(
      fc.property(fc.oneof(mutated, noise), (text) => {
        const { batches, frameText } = parseCandump(text);
        assert.equal(formatCandump(batches), frameText);
      }),
      { numRuns: 1500 },
    );
  });
});

const frameFacts = (frames: CanFrames): unknown => facts(frames, 0);

function facts(frames: CanFrames, i: number): unknown {
  const bytes = frames.data.slice(frames.dataStart[i], frames.dataStart[i + 1]);
  return [frames.timeUs(i), frames.id[i], frames.flags[i], frames.dlc[i], frames.buses[frames.bus[i]], bytes];
}
