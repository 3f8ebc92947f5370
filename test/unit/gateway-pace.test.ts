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
function drain(window: DelayWindow, bytesPerMs: number, wayMs: number, batchBytes: number, untilMs: number) {
  const confirmations: { atMs: number; sentMs: number; limited: boolean }[] = [];
  let unconfirmed = 0;
  let freeMs = 0;
  let sent = 0;
  let queueMsMax = 0;
  let nowMs = 0;
  while (nowMs < untilMs) {
    while (unconfirmed < window.bytes) {
      unconfirmed += batchBytes;
      queueMsMax = nowMs > untilMs / 2 ? Math.max(queueMsMax, freeMs - nowMs) : 0;
      freeMs = Math.max(freeMs, nowMs) + batchBytes / bytesPerMs;
      const limited = unconfirmed >= window.bytes;
      confirmations.push({ atMs: freeMs + wayMs, sentMs: nowMs, limited });
      sent += batchBytes;
    }
    const next = confirmations.shift() ?? assert.fail();
    nowMs = next.atMs;
    unconfirmed -= batchBytes;
    window.confirmed(batchBytes, nowMs - next.sentMs, next.limited, nowMs);
  }
  return { used: sent / (untilMs * bytesPerMs), queueMsMax };
}

describe('the window that keeps the queue short', () => {
  for (const wayMs of [2, 50, 600]) {
    it(`fills a link of 1 Mbit/s and ${wayMs} ms, and holds up others by less than 250 ms`, () => {
      const { used, queueMsMax } = drain(new DelayWindow(4 << 20), 125, wayMs, 6000, 60_000);
      assert.ok(used > 0.95, `${used} used`);
      assert.ok(queueMsMax < 250, `${queueMsMax} ms`);
    });
  }

  it('grows to all that is allowed where nothing ever queues', () => {
    const window = new DelayWindow(1 << 20);
    drain(window, 125_000, 1, 6000, 1000);
    assert.equal(window.bytes, 1 << 20);
  });

  it('learns that the way has become longer', () => {
    const window = new DelayWindow(4 << 20);
    for (let nowMs = 0; nowMs < 60_000; nowMs += 100) window.confirmed(6000, 20, false, nowMs);
    for (let nowMs = 60_000; nowMs < 120_000; nowMs += 100) window.confirmed(6000, 500, true, nowMs);
    const small = window.bytes;
    for (let nowMs = 120_000; nowMs < 500_000; nowMs += 100) window.confirmed(6000, 500, true, nowMs);
    assert.ok(window.bytes > 4 * small, `${small} → ${window.bytes} bytes`);
  });

  it('stays as it is while it is not used up', () => {
    const window = new DelayWindow(4 << 20);
    const before = window.bytes;
    for (let i = 0; i < 1000; i++) window.confirmed(6000, 10, false, i);
    assert.equal(window.bytes, before);
  });
});
