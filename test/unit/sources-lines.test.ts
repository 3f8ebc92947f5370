import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CollectingSink } from '../support/collecting-sink.js';
import { FakeClock } from '../support/fake-clock.js';
import { zda as bareZda } from '../support/nmea.js';
import { linesFile, never, sourceOf } from '../support/source-options.js';
import { tempFolder } from '../support/temp-folder.js';

const zda = (secondOfDay: number, day?: number): string => `${bareZda(secondOfDay, day)}\n`;
const dayUs = Date.UTC(2026, 1, 23) * 1000;

describe('event times of text lines in a file', () => {
  async function run(text: string, more: object = {}) {
    await using folder = await tempFolder('lines');
    const path = join(folder.path, 'drive.nmea');
    await writeFile(path, text, 'latin1');
    const clock = new FakeClock();
    const sink = new CollectingSink(clock);
    const source = sourceOf(linesFile(path, more), { clock });
    await source.run(sink, undefined, never);
    assert.equal(sink.text(), text);
    return { times: sink.timesUs().map((us) => (us - dayUs) / 1e6), sink, counters: source.counters, clock };
  }

  it('are those of the last sentence that tells one; before the first, the first', async () => {
    const { times, counters } = await run(`boot\n${zda(10)}a\n\n${zda(11)}b\n${zda(13)}`);
    assert.deepEqual(times, [10, 10, 10, 10, 11, 11, 13]);
    assert.equal(counters.timeReversals, 0);
  });

  it('never go backwards: an earlier time becomes the one before, and is counted', async () => {
    const { times, counters } = await run(zda(10) + zda(12) + zda(11) + 'a\n' + zda(13));
    assert.deepEqual(times, [10, 12, 12, 12, 13]);
    assert.equal(counters.timeReversals, 2);
  });

  it('pass over one absurd time', async () => {
    const { times } = await run(zda(10) + zda(11) + zda(12, 27) + zda(13) + zda(14));
    assert.deepEqual(times, [10, 11, 11, 13, 14]);
  });

  it("are the clock's where the first 64 KiB tell none", async () => {
    const { sink, clock, counters } = await run(`${'x'.repeat(99)}\n`.repeat(700) + zda(10));
    assert.ok(sink.timesUs().every((us) => us === clock.nowUs()));
    assert.equal(counters.timeReversals, 0);
    assert.equal((await run('a\nb\n', { pace: 0.1, times: 'now' })).sink.recordCount, 2);
  });

  it('are looked for in 64 KiB', async () => {
    const { times } = await run(`${'x'.repeat(99)}\n`.repeat(650) + zda(10));
    assert.equal(times[0], 10);
  });

  it('cut batches at the span, also over days', async () => {
    const text = zda(0) + zda(1) + zda(2) + zda(50, 28) + zda(51, 28) + zda(52, 28);
    const { sink } = await run(text);
    assert.deepEqual(
      sink.batches.map(({ payload }) => payload.recordCount),
      [2, 2, 2],
    );
  });

  it('leave the bytes alone, whatever they are', async () => {
    const bytes = Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 167 + (i >> 4)) & 255)).toString(
      'latin1',
    );
    await run(`${bytes}\n\n\r\n\0${zda(1)}${bytes}`);
  });
});
