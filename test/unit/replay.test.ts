import assert from 'node:assert/strict';
import { ApiClient } from '#cloud/client/api-client.js';
import { FetchedLines } from '#cloud/replay/fetched-lines.js';
import { lineTimeUs, withLineTime } from '#cloud/replay/line-time.js';
import { Pacer } from '#cloud/replay/pacer.js';
import { PacingError } from '#cloud/replay/pacing-error.js';
import { Replay, type ReplayOptions } from '#cloud/replay/replay.js';
import { isTarget } from '#cloud/replay/target-names.js';
import { FakeClock } from '../support/fake-clock.js';
import { append, canBatch } from '../support/recorded.js';
import { serveCloud } from '../support/serving-cloud.js';

const second = 1_500_000_000_000_000;
const gateway = 'truck-17';
const never = new AbortController().signal;

/** Every sleep takes longer than it should, as timers do. */
class LateClock extends FakeClock {
  override async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await super.sleep(ms, signal);
    this.advance(0.7);
  }
}

describe('lines as they were fetched', () => {
  it('are the lines of the text, wherever it was cut', () => {
    const text = 'one\n\nzwölf\nthree\nlast';
    const bytes = Buffer.from(text);
    const wanted = text.split('\n').filter((line) => line !== '');
    for (let first = 0; first <= bytes.length; first++) {
      for (let next = first; next <= bytes.length; next++) {
        const cut = [bytes.subarray(0, first), bytes.subarray(first, next), bytes.subarray(next)];
        assert.deepEqual([...new FetchedLines(cut)], wanted);
      }
    }
    assert.equal(new FetchedLines([Buffer.alloc(0)]).isEmpty, true);
  });
});

describe('pacing', () => {
  it('late timers delay a record by what they are late, and never the later ones by more', async () => {
    const clock = new LateClock();
    const pacer = new Pacer(clock, 1);
    for (let i = 0; i < 5000; i++) {
      const eventUs = second + i * 250;
      await pacer.due(eventUs, never);
      pacer.sent(eventUs);
    }
    assert.equal(pacer.error.count, 5000);
    assert.ok(pacer.error.maxMs <= 1.7 + 0.01, `${pacer.error.maxMs} ms`);
    assert.ok(
      Math.abs(clock.monotonicUs() - 5_000_000 - 4999 * 250) <= 2000,
      'the end is where it should be',
    );
  });

  it('a speed divides distances; a pause moves everything behind it', async () => {
    const clock = new FakeClock();
    const pacer = new Pacer(clock, 10);
    assert.equal(pacer.due(second, never), undefined);
    const startUs = clock.monotonicUs();
    await pacer.due(second + 5_000_000, never);
    assert.ok(Math.abs(clock.monotonicUs() - startUs - 500_000) <= 1000);
    pacer.pause();
    let isDue = false;
    const waiting = Promise.resolve(pacer.due(second + 5_000_001, never)).then(() => (isDue = true));
    clock.advance(3000);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isDue, false);
    pacer.resume();
    await waiting;
    pacer.sent(second + 5_000_001);
    assert.ok(pacer.error.maxMs <= 1);
  });

  it('tells errors by quantile', () => {
    const error = new PacingError();
    for (let i = 1; i <= 100; i++) error.add(i % 2 === 0 ? i * 1000 : -i * 1000);
    assert.ok(Math.abs(error.quantileMs(0.5) - 50) <= 0.1);
    assert.ok(Math.abs(error.quantileMs(0.99) - 99) <= 0.1);
    assert.equal(error.maxMs, 100);
  });

  it('reads and writes the times of lines, to the µs', () => {
    const candump = '(1500000000.000123) can0 100#00';
    assert.equal(lineTimeUs(candump, 'candump'), second + 123);
    assert.equal(withLineTime(candump, 'candump', second + 7_000_001), '(1500000007.000001) can0 100#00');
    const json = '{"gateway":"a","stream":"b","time":"2017-07-14T02:40:00.000123Z","text":"x"}';
    assert.equal(lineTimeUs(json, 'ndjson'), second + 123);
    assert.equal(lineTimeUs(withLineTime(json, 'ndjson', second), 'ndjson'), second);
    assert.equal(lineTimeUs('', 'candump'), undefined);
  });

  it('tells targets from times', () => {
    const targets = ['candump:-', 'candump:x.log', 'udp://h:1', 'mqtt://h/p', 'vcan0', 'can12'];
    assert.ok(targets.every(isTarget));
    assert.ok(!['-15m', 'now', '2026-11-05T10:00:00Z', '1500000000.5'].some(isTarget));
  });
});

async function replayed(
  options: Partial<ReplayOptions>,
  onSend: (line: string, replay: Replay, sent: string[], stop: AbortController) => void = () => {},
): Promise<string[]> {
  await using cloud = await serveCloud();
  const times = (of: number): number[] => Array.from({ length: 10 }, (_, i) => second + of + i * 2_000_000);
  await append(cloud.log, [
    canBatch(times(0), { gateway }),
    canBatch(times(1_000_000), { gateway, stream: 'can1' }),
  ]);
  const sent: string[] = [];
  const stop = new AbortController();
  const replay = new Replay(new ApiClient(cloud.api.url), new FakeClock(), {
    query: { gateway: [gateway], format: 'candump' },
    speed: 1,
    loop: false,
    times: 'original',
    ...options,
  });
  const send = (line: string): undefined => {
    sent.push(line.slice(1, 18));
    onSend(line, replay, sent, stop);
  };
  await replay.run({ send, close: async () => {} }, stop.signal);
  return sent;
}

const inOrder = Array.from({ length: 20 }, (_, i) => `15000000${String(i).padStart(2, '0')}.000000`);

describe('replay', () => {
  it('merges streams in event-time order, across the windows that it fetches', async () => {
    assert.deepEqual(await replayed({}), inOrder);
    assert.deepEqual(await replayed({ speed: Infinity }), inOrder);
  });

  it('goes where it is sent, forth and back', async () => {
    const sent = await replayed({}, (_line, replay, all) => {
      if (all.length === 3) replay.seek(second + 15_000_000);
      if (all.length === 5) replay.seek(second - 99_000_000);
    });
    assert.deepEqual(sent, [...inOrder.slice(0, 3), ...inOrder.slice(15, 17), ...inOrder]);
  });

  it('loops until it is stopped', async () => {
    const sent = await replayed({ loop: true, speed: Infinity }, (_line, _replay, all, stop) => {
      if (all.length === 45) stop.abort();
    });
    assert.deepEqual(sent, [...inOrder, ...inOrder, ...inOrder.slice(0, 5)]);
  });

  it('gives the times at which records are due, where these are wanted', async () => {
    const sent = await replayed({ times: 'now' });
    const times = sent.map(Number);
    assert.ok(times[0] >= 1_790_000_000);
    assert.ok(Math.abs(times[19] - times[0] - 19) < 0.02);
  });
});
