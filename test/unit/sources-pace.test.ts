import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CollectingSink } from '../support/collecting-sink.js';
import { FakeClock } from '../support/fake-clock.js';
import { zda } from '../support/nmea.js';
import { candumpFile, linesFile, never, sourceOf } from '../support/source-options.js';
import { tempFolder } from '../support/temp-folder.js';

const line = (timeUs: number): string => `(${(timeUs / 1e6).toFixed(6)}) can0 123#11\n`;
const startUs = 1_700_000_000_000_000;
const atMs = (...ms: number[]): string => ms.map((at) => line(startUs + at * 1000)).join('');

describe('pace of a recording', () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  let path: string;
  beforeEach(async () => {
    folder = await tempFolder('pace');
    path = join(folder.path, 'drive.candump');
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  async function run(text: string, more: object, clock = new FakeClock(), sink = new CollectingSink(clock)) {
    await writeFile(path, text);
    const beganUs = clock.monotonicUs();
    await sourceOf(candumpFile(path, more), { clock }).run(sink, sink.position, never);
    return { sink, clock, seconds: (clock.monotonicUs() - beganUs) / 1e6 };
  }

  /** 4,000 frames/s. */
  const busy = (seconds: number): string =>
    Array.from({ length: seconds * 4000 }, (_, i) => line(startUs + i * 250)).join('');

  it('is the recording\'s own with "original", a multiple of it with a factor, none with "max"', async () => {
    const text = busy(3);
    for (const [pace, seconds] of [
      ['original', 3],
      [4, 0.75],
      [0.5, 6],
    ] as const) {
      const { sink, seconds: took } = await run(text, { pace });
      assert.equal(sink.text(), text);
      assert.ok(Math.abs(took - seconds) < 0.06, `${pace}: took ${took} s`);
    }
    const { clock, seconds } = await run(text, { pace: 'max' });
    assert.equal(seconds, 0);
    assert.deepEqual(clock.sleepsMs, []);
  });

  it('is that of the clock with "clock": what is past at once, also at the next start, the rest when it is due', async () => {
    const clock = new FakeClock();
    const nowUs = clock.nowUs();
    const text = [-5, -3, 1, 2].map((second) => line(nowUs + second * 1e6)).join('');
    const { sink, seconds } = await run(text, { pace: 'clock' }, clock);
    assert.equal(sink.text(), text);
    assert.ok(Math.abs(seconds - 2) < 0.1, `took ${seconds} s`);
    const more = line(nowUs + 2.5e6) + line(clock.nowUs() + 1e6);
    const resumed = await run(text + more, { pace: 'clock' }, clock, sink);
    assert.equal(sink.text(), text + more);
    assert.ok(Math.abs(resumed.seconds - 1) < 0.1, `took ${resumed.seconds} s`);
  });

  it('costs at most 50 wake-ups a second however many frames there are', async () => {
    const { clock } = await run(busy(4), { pace: 'original' });
    assert.ok(clock.sleepsMs.length <= 4 * 50, `${clock.sleepsMs.length} sleeps in 4 s`);
  });

  it('releases no frame early, and none later than a tick and the linger time', async () => {
    const { sink, clock } = await run(busy(3), { pace: 'original', batch: { linger: '200ms' } });
    const beganUs = sink.putUs[0] - 200_000;
    sink.batches.forEach(({ payload }, i) => {
      const putUs = sink.putUs[i] - beganUs + startUs;
      assert.ok(payload.lastTimeUs <= putUs, 'not before its time');
      assert.ok(
        putUs - payload.firstTimeUs <= 200_000 + 40_000 + 1000,
        `late by ${putUs - payload.firstTimeUs} µs`,
      );
    });
    assert.ok(clock.sleepsMs.length > 0);
  });

  it('seals after the linger time though the next frame is far away', async () => {
    const { sink } = await run(atMs(0, 10, 5000), { pace: 'original' });
    assert.deepEqual(
      sink.putUs.map((us) => us - 5_000_000),
      [500_000, 5_000_000],
    );
  });

  it('sleeps over hours without a wake-up more than once an hour', async () => {
    const { sink, clock, seconds } = await run(atMs(0, 5 * 3_600_000 + 1), { pace: 'original' });
    assert.equal(sink.recordCount, 2);
    assert.ok(Math.abs(seconds - 18_000) < 0.1);
    assert.ok(clock.sleepsMs.length < 10);
  });

  it('ends at once when it is told to in a long pause, with everything due sealed', async () => {
    await writeFile(path, atMs(0, 1, 2, 3_600_000));
    const clock = new FakeClock();
    const sink = new CollectingSink(clock);
    const stop = new AbortController();
    clock.endlessMs = 1000;
    clock.onSleep = (ms) => {
      if (ms >= 1000) stop.abort();
    };
    await sourceOf(candumpFile(path, { pace: 'original', batch: { linger: '1h' } }), { clock }).run(
      sink,
      undefined,
      stop.signal,
    );
    assert.equal(sink.text(), atMs(0, 1, 2));
    clock.endlessMs = Infinity;
    await sourceOf(candumpFile(path, { pace: 'original' }), { clock }).run(sink, sink.position, never);
    assert.equal(sink.text(), atMs(0, 1, 2, 3_600_000));
  });

  it('starts anew where the recording jumps back', async () => {
    const text = atMs(100_000, 101_000, 0, 1000, 2000);
    const { sink, seconds } = await run(text, { pace: 'original' });
    assert.equal(sink.text(), text);
    assert.ok(Math.abs(seconds - 3) < 0.1, `took ${seconds} s`);
  });

  it('catches up after the sink had no room', async () => {
    const clock = new FakeClock();
    const sink = new CollectingSink(clock);
    sink.onPut = (_batch, index) => {
      if (index === 0) clock.advance(1500);
    };
    const { seconds } = await run(busy(3), { pace: 'original' }, clock, sink);
    assert.equal(sink.recordCount, 12_000);
    assert.ok(seconds < 3.1, `took ${seconds} s`);
  });

  it('with "times: now" the first frame is now, the others keep their distance, also after a restart', async () => {
    const clock = new FakeClock();
    const nowUs = clock.nowUs();
    const first = new CollectingSink(clock);
    first.onPut = (_batch, index) => {
      if (index === 1) throw new Error('power cut');
    };
    const text = atMs(0, 0.001, 400, 1500, 1600, 4000);
    await assert.rejects(run(text, { times: 'now' }, clock, first), /power cut/);
    assert.equal(first.recordCount, 3);
    clock.advance(60_000);
    first.onPut = () => {};
    await run(text, { times: 'now' }, clock, first);
    assert.deepEqual(
      first.timesUs().map((us) => us - nowUs),
      [0, 1, 400_000, 1_500_000, 1_600_000, 4_000_000],
    );
    assert.match(first.text(), /^\(1790000000\.000000\) can0 123#11\n\(1790000000\.000001\)/);
  });

  it('paces text lines by the times that they tell', async () => {
    const text = [zda(10), 'a', zda(12), 'b', ''].join('\n');
    await writeFile(path, text);
    const clock = new FakeClock();
    const sink = new CollectingSink(clock);
    await sourceOf(linesFile(path, { pace: 2, times: 'now' }), { clock }).run(sink, undefined, never);
    assert.equal(sink.text(), text);
    assert.deepEqual(
      sink.timesUs().map((us) => us - 1_790_000_000_000_000),
      [0, 0, 2_000_000, 2_000_000],
    );
    assert.deepEqual(
      sink.putUs.map((us) => us - 5_000_000),
      [500_000, 1_000_000],
    );
  });
});
