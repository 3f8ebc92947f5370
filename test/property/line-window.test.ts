import assert from 'node:assert/strict';
import fc from 'fast-check';
import { systemClock } from '@fleetlog/shared/util';
import { Batcher } from '#gateway/batch/batcher.js';
import { CandumpFeed } from '#gateway/sources/candump-feed.js';
import { LineWindow } from '#gateway/sources/line-window.js';
import { candumpText } from '../support/candump-arbitraries.js';
import { CollectingSink } from '../support/collecting-sink.js';

/** What a feed makes of a stream that arrives in chunks of these lengths (repeated), through rooms of `roomBytes`. */
async function taken(bytes: Uint8Array, lengths: readonly number[], roomBytes: number) {
  const feed = new CandumpFeed();
  const window = new LineWindow(feed.lineBytesMax, roomBytes);
  const sink = new CollectingSink();
  const limits = { lingerMs: 1000, spanUs: 1e6, records: 7, bytes: 1000 };
  const batcher = new Batcher({
    stream: 'can0',
    origin: 'live',
    limits,
    sink,
    clock: systemClock,
    columns: feed.columns,
    encode: () => feed.encode(),
  });
  const malformed: string[] = [];
  const positions: number[] = [];
  const takeAll = async (): Promise<void> => {
    for (let stop = feed.take(window, batcher); stop !== 'empty'; stop = feed.take(window, batcher)) {
      if (stop === 'malformed') malformed.push(`${feed.lineNumber} at ${feed.refusedOffset}: ${feed.reason}`);
      if (stop === 'seal' || batcher.full) {
        positions.push(window.position);
        await batcher.seal();
      }
    }
  };
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const room = window.room();
    const chunk = bytes.subarray(at, at + Math.min(room.length, lengths[i % lengths.length]));
    room.set(chunk);
    window.filled(chunk.length);
    at += chunk.length;
    await takeAll();
  }
  await batcher.seal();
  return { text: sink.text(), malformed, positions, unfinishedFrom: window.position };
}

describe('a byte stream cut into lines', () => {
  it('gives the same records, malformed lines and positions in whatever chunks it comes', async () => {
    const longLine = fc.integer({ min: 4080, max: 4500 }).map((length) => `${'z'.repeat(length)}\n`);
    const text = fc.array(fc.oneof({ weight: 4, arbitrary: candumpText }, longLine), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(
        text,
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 300 }),
        async (parts, lengths, roomBytes) => {
          const bytes = Buffer.from(parts.join(''), 'latin1');
          const whole = await taken(bytes, [bytes.length || 1], bytes.length || 1);
          assert.deepEqual(await taken(bytes, lengths, roomBytes), whole);
          assert.deepEqual(await taken(bytes, [1], 1), whole, 'byte by byte');
        },
      ),
      { numRuns: 200 },
    );
  });

  it('holds no more than a chunk and the longest line', () => {
    const window = new LineWindow(1000, 100);
    for (let i = 0; i < 1000; i++) {
      window.room().fill(65);
      window.filled(100);
    }
    assert.ok(window.bytes.length < 10_000);
    assert.equal(window.position, 0, 'the line began at 0');
    window.room().set([10, 66]);
    window.filled(2);
    assert.equal(window.skipped, true);
    assert.equal(window.position, 100_001);
  });
});
