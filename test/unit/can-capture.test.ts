import assert from 'node:assert/strict';
import { decodeGap } from '@fleetlog/shared/batch';
import { decodeCan } from '@fleetlog/shared/can';
import { systemClock } from '@fleetlog/shared/util';
import { CanSocket } from '#gateway/sources/socketcan/can-socket.js';
import { Capture, type CaptureNews } from '#gateway/sources/socketcan/capture.js';
import { KernelStamps } from '#gateway/sources/socketcan/kernel-stamps.js';
import { sent } from '../support/batches.js';
import { libcWithFrames, type KernelFrame } from '../support/kernel-frames.js';
import { VehicleClock } from '../support/vehicle.js';

const startUs = 1_780_000_000_000_000;
const limits = { records: 10_000, bytes: 1e6, lingerMs: 1000, spanUs: 60e6 };

/** What a capture makes of frames that the kernel has. */
function capture(waiting: KernelFrame[], stamps = new KernelStamps(systemClock)): CaptureNews[] {
  const news: CaptureNews[] = [];
  const options = { interfaceName: 'can0', filters: [], receiveBufferBytes: 1e6, timeoutMs: 1 };
  const socket = CanSocket.open(libcWithFrames(waiting), options);
  const made = new Capture(socket, { interfaceName: 'can0', limits }, stamps, (one) => void news.push(one));
  for (let count = socket.receive('can0'); count > 0; count = socket.receive('can0')) made.take(count, 0);
  made.seal();
  return news;
}

const timesOf = (news: CaptureNews[]): number[] =>
  news.flatMap((one) => {
    if (one.type !== 'batch') return [];
    const frames = decodeCan(sent(one.payload));
    return Array.from({ length: frames.count }, (_, i) => frames.timeUs(i));
  });
const clocksOf = (news: CaptureNews[]): string[] =>
  news.flatMap((one) => (one.type === 'clock' ? [one.clock] : []));

describe('what the kernel says beside a CAN frame', () => {
  it("is its own time, where the interface has no clock: that is the frame's", () => {
    const frames = [0, 900, 2100].map((us): KernelFrame => ({
      id: 0x123,
      data: [1],
      softwareUs: startUs + us,
    }));
    const news = capture(frames.slice());
    assert.deepEqual(
      timesOf(news),
      frames.map(({ softwareUs }) => softwareUs),
    );
    assert.deepEqual(clocksOf(news), ['kernel']);
  });

  it("is the interface's time, too: frames are as far apart as it says, and where the kernel's clock is", () => {
    // An interface that counts since it was powered; the kernel is late by up to 0.4 ms.
    const count = 3000;
    const frames = Array.from({ length: count }, (_, i): KernelFrame => ({
      id: 0x123,
      data: [i & 255],
      hardwareUs: 5_000_000 + i * 1000,
      softwareUs: startUs + i * 1000 + ((i * 7919) % 400),
    }));
    const news = capture(frames);
    assert.deepEqual(clocksOf(news), ['hardware']);
    const times = timesOf(news);
    assert.equal(times.length, count);
    const settled = times.slice(1000);
    const uneven = settled.slice(1).map((time, i) => Math.abs(time - settled[i] - 1000));
    assert.ok(Math.max(...uneven) <= 20, `${Math.max(...uneven)} µs`);
    const apart = Math.abs(times[count - 1] - (startUs + (count - 1) * 1000));
    assert.ok(apart < 400, `${apart} µs from the kernel's clock`);
  });

  for (const [what, stepUs] of [
    ['forward, from 1970', startUs],
    ['an hour back', -3600e6],
    ['half a second back', -500_000],
  ] as const) {
    it(`is of the wall clock: of frames that wait while it is set ${what}, each has its own time`, () => {
      const world = { trueUs: startUs };
      const clock = new VehicleClock(world, stepUs === startUs ? 60e6 : startUs);
      const stamps = new KernelStamps(clock);
      const offsetUs = stamps.offsetUs;
      const stampedUs: number[] = [];
      const frames = [0, 1, 2, 3, 4, 5].map((i): KernelFrame => {
        world.trueUs += 10_000;
        if (i === 3) clock.wallOffsetUs += stepUs;
        stampedUs.push(clock.monotonicUs());
        return { id: 0x123, data: [i], softwareUs: clock.nowUs() };
      });
      const news = capture(frames, stamps);
      assert.deepEqual(
        timesOf(news).map((timeUs) => timeUs - (offsetUs + stepUs)),
        stampedUs,
      );
      const offsets = news.flatMap((one) => (one.type === 'batch' ? [one.wallOffsetUs] : []));
      assert.deepEqual(offsets, [offsetUs + stepUs], 'one offset, which the batch is told with');
    });
  }

  for (const stepUs of [15_000, -15_000]) {
    it(`is of the wall clock: once that was set by ${stepUs / 1000} ms, frames may wait for longer than that`, () => {
      const world = { trueUs: startUs };
      const clock = new VehicleClock(world, startUs);
      const stamps = new KernelStamps(clock);
      const offsetUs = stamps.offsetUs + stepUs;
      clock.wallOffsetUs += stepUs;
      capture([{ id: 0x123, data: [], softwareUs: clock.nowUs() }], stamps);
      const stampedUs: number[] = [];
      const frames = [0, 1, 2, 3].map((i): KernelFrame => {
        world.trueUs += 20_000;
        stampedUs.push(clock.monotonicUs());
        return { id: 0x123, data: [i], softwareUs: clock.nowUs() };
      });
      world.trueUs += 20_000;
      assert.deepEqual(
        timesOf(capture(frames, stamps)).map((timeUs) => timeUs - offsetUs),
        stampedUs,
      );
    });
  }

  it('is of the wall clock, also where the first readings of it are slow', () => {
    const world = { trueUs: startUs };
    const clock = new VehicleClock(world, startUs);
    const right = clock.wallOffsetUs;
    let slow = 10;
    const slowAtFirst = {
      monotonicUs: () => clock.monotonicUs(),
      nowUs: () => {
        if (slow-- > 0) world.trueUs += 30_000; // another process has the processor
        return clock.nowUs();
      },
      sleep: () => clock.sleep(),
    };
    assert.equal(new KernelStamps(slowAtFirst).offsetUs, right);
  });

  it('is how many frames it dropped: each difference is a gap, before the frame that tells of it', () => {
    const drops = [undefined, undefined, 5, 5, 12];
    const news = capture(
      drops.map((dropped, i): KernelFrame => ({
        id: 0x123,
        data: [i],
        softwareUs: startUs + i * 1000,
        ...(dropped !== undefined && { dropped }),
      })),
    );
    const order = news.flatMap((one): (string | number)[] => {
      if (one.type === 'gap') {
        assert.equal(decodeGap(sent(one.payload)).cause, 'source-dropped');
        return [`dropped ${one.payload.recordCount}`];
      }
      return one.type === 'batch' ? [one.payload.recordCount] : [];
    });
    assert.deepEqual(order, [2, 'dropped 5', 2, 'dropped 7', 1]);
  });
});
