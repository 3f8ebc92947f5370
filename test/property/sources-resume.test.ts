import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { candumpText } from '../support/candump-arbitraries.js';
import { CollectingSink } from '../support/collecting-sink.js';
import { FakeClock } from '../support/fake-clock.js';
import { zda } from '../support/nmea.js';
import { candumpFile, linesFile, never, sourceOf } from '../support/source-options.js';
import { tempFolder } from '../support/temp-folder.js';

class PowerCut extends Error {}

const zdaSentences = [`${zda(10)}\n`, `${zda(12)}\r\n`, `${zda(13)}\n`, `${zda(9000)}\n`, `${zda(5, 27)}\n`];
const linesText = fc
  .array(fc.oneof(fc.constantFrom(...zdaSentences), fc.string({ unit: 'binary-ascii', maxLength: 12 })), {
    maxLength: 60,
  })
  .map((parts) => parts.join(''));

/** Reads to the end, cut off at the given batches, each time from where the last batch that was kept says. */
async function readWithCuts(config: object, cuts: ReadonlySet<number>) {
  const clock = new FakeClock();
  const sink = new CollectingSink(clock);
  let puts = 0;
  sink.onPut = () => {
    if (cuts.has(puts++)) throw new PowerCut();
  };
  for (;;) {
    const source = sourceOf(config, { clock });
    try {
      await source.run(sink, sink.position, never);
      const { malformed, timeReversals } = source.counters;
      return { text: sink.text(), times: sink.timesUs(), malformed, timeReversals };
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
    }
  }
}

describe('a source that is cut off at any batches', () => {
  for (const [name, text, configOf] of [
    ['candump', candumpText, candumpFile],
    ['lines', linesText, linesFile],
  ] as const) {
    it(`reads each record of a ${name} file exactly once, with the times and counts of one go`, async () => {
      await using folder = await tempFolder('resume');
      const path = join(folder.path, 'drive.log');
      await fc.assert(
        fc.asyncProperty(
          text,
          fc.uniqueArray(fc.nat({ max: 30 }), { maxLength: 12 }),
          fc.integer({ min: 1, max: 9 }),
          fc.constantFrom({}, { pace: 'original' }),
          async (content, cuts, records, more) => {
            await writeFile(path, content, 'latin1');
            const config = configOf(path, { ...more, batch: { records } });
            const inOneGo = await readWithCuts(config, new Set());
            const withCuts = await readWithCuts(config, new Set(cuts));
            assert.deepEqual(withCuts, inOneGo);
            if (name === 'lines') assert.equal(inOneGo.text, content);
          },
        ),
        { numRuns: 150 },
      );
    });
  }
});
