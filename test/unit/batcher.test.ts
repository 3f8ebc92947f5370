import assert from 'node:assert/strict';
import { encodeLines, TextLines } from '@fleetlog/shared/batch';
import { Batcher } from '#gateway/batch/batcher.js';
import { CollectingSink } from '../support/collecting-sink.js';
import { FakeClock } from '../support/fake-clock.js';

function setUp(limits = { lingerMs: 500, spanUs: 1e6, records: 3, bytes: 100 }) {
  const clock = new FakeClock();
  const sink = new CollectingSink(clock);
  const lines = new TextLines();
  const batcher = new Batcher({
    stream: 'gps0',
    origin: 'live',
    limits,
    sink,
    clock,
    columns: lines,
    encode: () => encodeLines(lines),
  });
  const add = (text: string): boolean => {
    lines.append(1_000_000, Buffer.from(text), 0, text.length);
    return batcher.recordAdded(lines.textBytes);
  };
  return { clock, sink, batcher, add };
}

describe('batcher', () => {
  it('is full at the limit of records, or of bytes with the record that reaches it', () => {
    const byRecords = setUp();
    assert.deepEqual(
      [byRecords.add('a\n'), byRecords.add('b\n'), byRecords.add('c\n')],
      [false, false, true],
    );
    const byBytes = setUp();
    assert.deepEqual([byBytes.add('a\n'), byBytes.add('x'.repeat(200))], [false, true]);
  });

  it("counts the linger time from the batch's first record", async () => {
    const { clock, batcher, add } = setUp();
    assert.equal(batcher.lingerLeftMs(), Infinity);
    add('a\n');
    clock.advance(200);
    add('b\n');
    assert.equal(batcher.lingerLeftMs(), 300);
    clock.advance(400);
    assert.equal(batcher.lingerLeftMs(), 0);
    await batcher.seal();
    assert.equal(batcher.lingerLeftMs(), Infinity);
    add('c\n');
    assert.equal(batcher.lingerLeftMs(), 500);
  });

  it('hands over what it holds with its position, and is empty and not full after that', async () => {
    const { sink, batcher, add } = setUp();
    await batcher.seal(Buffer.from('nothing yet'));
    assert.equal(sink.batches.length, 0);
    for (const text of ['a\n', 'b\n', 'c\n']) add(text);
    await batcher.seal(Buffer.from('here'));
    assert.equal(batcher.full, false);
    assert.equal(batcher.columns.count, 0);
    assert.equal(sink.text(), 'a\nb\nc\n');
    assert.equal(sink.batches[0].origin, 'live');
    assert.equal(String(sink.batches[0].position), 'here');
    add('d\n');
    await batcher.seal();
    assert.ok(!('position' in sink.batches[1]), 'a bus can not go back');
  });

  it('lets the error of the sink through', async () => {
    const { sink, batcher, add } = setUp();
    sink.onPut = () => Promise.reject(new Error('disk full'));
    add('a\n');
    await assert.rejects(batcher.seal(), /disk full/);
  });
});
