import assert from 'node:assert/strict';
import fc from 'fast-check';
import { RangeSet } from '@fleetlog/shared/util';
import { GapSpans, gapSpansMax, type GapSpan } from '#gateway/buffer/gap-spans.js';

const span = (first: number, last = first, changes: Partial<GapSpan> = {}): GapSpan => ({
  first,
  last,
  cause: 'buffer-full',
  detail: 'full',
  records: 10 * (last - first + 1),
  firstTimeUs: first * 1000,
  lastTimeUs: last * 1000 + 999,
  ...changes,
});

const rangesOf = (spans: GapSpans): number[][] => [...spans].map(({ first, last }) => [first, last]);

describe('gap records of a stream', () => {
  it('become one where one loss follows another', () => {
    const spans = new GapSpans();
    spans.add(span(0, 9));
    spans.add(span(20, 29));
    spans.add(span(10, 19));
    const [one] = spans;
    assert.deepEqual(one, span(0, 29, { lastTimeUs: 29_999 }));
    assert.equal(spans.count, 1);
    assert.deepEqual(spans.takeChanges(), { spans: [one], vacated: [20, 10] });
  });

  it('stay apart where the cause differs, or one of them is on its way', () => {
    const spans = new GapSpans();
    spans.add(span(0, 9));
    spans.add(span(10, 19, { cause: 'expired' }));
    const [, expired] = spans;
    spans.markSent(expired);
    spans.add(span(20, 29, { cause: 'expired' }));
    assert.equal(spans.count, 3);
    assert.equal(spans.at(25)?.first, 20);
    assert.equal(spans.at(30), undefined);
  });

  it("count records as unknown where one of them doesn't know", () => {
    const spans = new GapSpans();
    spans.add(span(0, 9, { records: -1 }));
    spans.add(span(10));
    assert.equal(spans.at(0)?.records, -1);
  });

  it('are limited in number, and still cover all that was given up', () => {
    const spans = new GapSpans();
    const done = new RangeSet();
    for (let i = 0; i < 3 * gapSpansMax; i++) {
      spans.add(span(2 * i));
      done.add(2 * i + 1);
    }
    assert.equal(spans.count, gapSpansMax);
    assert.equal(spans.covered(done), 3 * gapSpansMax);
  });

  it('are durable only as they are', () => {
    const spans = new GapSpans();
    spans.add(span(0));
    const { spans: written } = spans.takeChanges();
    spans.add(span(1));
    spans.stored(written);
    const [now] = spans;
    assert.equal(spans.isStored(now), false);
    spans.stored(spans.takeChanges().spans);
    assert.equal(spans.isStored(now), true);
  });

  it('cover exactly what was added, in any order (property)', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([...Array(40).keys()], { minLength: 1 }), (sequences) => {
        const spans = new GapSpans();
        for (const sequence of sequences) spans.add(span(sequence));
        const expected = new RangeSet(sequences.map((s) => [s, s]));
        assert.deepEqual(rangesOf(spans), [...expected]);
        assert.deepEqual(rangesOf(GapSpans.from([...spans])), [...expected]);
      }),
    );
  });
});
