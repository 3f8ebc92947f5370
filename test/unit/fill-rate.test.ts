import assert from 'node:assert/strict';
import type { GatewayBuffer } from '#gateway/buffer/buffer.js';
import type { SpaceState } from '#gateway/buffer/space/keeper.js';
import { FillRate } from '#gateway/buffer/space/report.js';
import { FakeClock } from '../support/fake-clock.js';

describe('how fast the buffer fills', () => {
  const space: SpaceState = { limitBytes: 1e9, diskBytes: 1e8, freeBytes: 1e10, full: 'no', leftBytes: 36e6 };
  const given = { batches: 0, records: 0, bytes: 0 };

  /** A buffer that takes 1 kB a second, watched for `seconds`. */
  async function watch(seconds: number, bytesPerSecond = 1000) {
    const clock = new FakeClock();
    const started = clock.monotonicUs();
    const state = { ...space };
    const notes: { type: string; attributes: object }[] = [];
    const buffer = {
      get spaceState() {
        return state;
      },
      streams: () => [
        {
          bytesPut: ((clock.monotonicUs() - started) / 1e6) * bytesPerSecond,
          givenUp: given,
          thinned: given,
        },
      ],
    } as unknown as GatewayBuffer;
    const rate = new FillRate(buffer, clock, {
      note: (type, attributes) => notes.push({ type, attributes }),
    });
    const stop = new AbortController();
    clock.onSleep = () => {
      const passed = (clock.monotonicUs() - started) / 1e6;
      state.full = passed > 100 && passed < 200 ? 'limit' : 'no';
      if (passed >= seconds) stop.abort();
    };
    await rate.run(stop.signal);
    return { rate, notes, clock };
  }

  it('tells the hours that are left at the present rate', async () => {
    const { rate } = await watch(60);
    assert.equal(Math.round(rate.report()?.bytesPerSecond ?? 0), 1000);
    assert.equal(rate.report()?.hoursLeft?.toFixed(2), '10.00');
  });

  it('tells of no hours where nothing comes in', async () => {
    const { rate } = await watch(60, 0);
    assert.equal(rate.report()?.hoursLeft, undefined);
  });

  it('notes once when the buffer is full, and once when it has room again', async () => {
    const { notes } = await watch(400);
    assert.deepEqual(
      notes.map(({ type }) => type),
      ['buffer.full', 'buffer.has-room'],
    );
  });
});
