import assert from 'node:assert/strict';
import { DelayWindow } from '#gateway/uplink/delay-window.js';
import { ByteRate, TimeShare } from '#gateway/uplink/pace.js';

describe('a rate in bytes a second', () => {
  it('makes the next bytes wait until those before are paid for', () => {
    const rate = new ByteRate(1000);
    assert.equal(rate.waitMs(0), 0);
    rate.spend(500, 0);
    assert.equal(rate.waitMs(0), 500);
    assert.equal(rate.waitMs(400), 100);
    assert.equal(rate.waitMs(500), 0);
  });

  it('saves nothing up in silence', () => {
    const rate = new ByteRate(1000);
    rate.spend(1, 0);
    rate.spend(1000, 60_000);
    assert.equal(rate.waitMs(60_000), 1000);
  });
});

describe('a share of the time', () => {
  it('is all of it for 1 and nothing for 0', () => {
    assert.equal(new TimeShare(1).waitMs(5), 0);
    assert.equal(new TimeShare(0).waitMs(5), Infinity);
  });

  it('lets something be under way for that part of the time', () => {
    const share = new TimeShare(0.25);
    let busyMs = 0;
    for (let nowMs = 0; nowMs < 100_000; nowMs += 10) {
      const busy = share.waitMs(nowMs) === 0;
      share.note(busy, nowMs);
      if (busy) busyMs += 10;
    }
    assert.ok(Math.abs(busyMs / 100_000 - 0.25) < 0.01, `${busyMs} ms`);
  });
});

/** A link that carries `bytesPerMs` and takes `wayMs` there and back, and a sender that uses the window up. */
function drain(window: DelayWindow, bytesPerMs: number, wayMs: number, sizes: number[], untilMs: number) {
  const flying: { bytes: number; atMs: number; sentMs: number; before: number; limited: boolean }[] = [];
  let unconfirmed = 0;
  let freeMs = 0;
  let confirmed = 0;
  let queueMsMax = 0;
  let nowMs = 0;
  for (let nth = 0; nowMs < untilMs;) {
    while (unconfirmed < window.bytes) {
      const bytes = sizes[nth++ % sizes.length];
      unconfirmed += bytes;
      if (nowMs > untilMs / 2) queueMsMax = Math.max(queueMsMax, freeMs - nowMs);
      freeMs = Math.max(freeMs, nowMs) + bytes / bytesPerMs;
      const limited = unconfirmed >= window.bytes;
      flying.push({ bytes, atMs: freeMs + wayMs, sentMs: nowMs, before: window.confirmedBytes, limited });
    }
    const { bytes, atMs, sentMs, before, limited } = flying.shift() ?? assert.fail();
    nowMs = atMs;
    unconfirmed -= bytes;
    if (nowMs > untilMs / 2) confirmed += bytes;
    window.confirmed(bytes, nowMs - sentMs, before, limited, nowMs);
  }
  return { used: confirmed / ((untilMs / 2) * bytesPerMs), queueMsMax };
}

describe('the window that keeps the queue short', () => {
  for (const sizes of [[6000], [11_000, 400], [15_000, 15_000, 15_000, 200]]) {
    for (const wayMs of [2, 50, 300, 1200]) {
      it(`fills a link of 1 Mbit/s and ${wayMs} ms with ${sizes.join(', ')} bytes, and holds up others by little`, () => {
        const { used, queueMsMax } = drain(new DelayWindow(4 << 20), 125, wayMs, sizes, 60_000);
        assert.ok(used > 0.9, `${used} used`);
        assert.ok(queueMsMax < 250, `${queueMsMax} ms`);
      });
    }
  }

  it('is wide enough for a long link within a few round trips', () => {
    const { used } = drain(new DelayWindow(4 << 20), 125, 1200, [11_000, 400], 24_000);
    assert.ok(used > 0.9, `${used} used`);
  });

  it('grows to all that is allowed where nothing ever queues', () => {
    const window = new DelayWindow(1 << 20);
    drain(window, 125_000, 1, [6000], 1000);
    assert.equal(window.bytes, 1 << 20);
  });

  it('learns that the way has become longer', () => {
    const window = new DelayWindow(4 << 20);
    const confirm = (fromMs: number, toMs: number, rttMs: number, limited: boolean): void => {
      for (let nowMs = fromMs; nowMs < toMs; nowMs += 100) {
        window.confirmed(6000, rttMs, window.confirmedBytes, limited, nowMs);
      }
    };
    confirm(0, 60_000, 20, false);
    confirm(60_000, 64_000, 500, true);
    const small = window.bytes;
    confirm(64_000, 500_000, 500, true);
    assert.ok(window.bytes > 4 * small, `${small} → ${window.bytes} bytes`);
  });

  it('stays as it is while it is not used up', () => {
    const window = new DelayWindow(4 << 20);
    const before = window.bytes;
    for (let i = 0; i < 1000; i++) window.confirmed(6000, 10, window.confirmedBytes, false, i);
    assert.equal(window.bytes, before);
  });
});
