import assert from 'node:assert/strict';
import { Prng } from '#sim/vehicle/prng.js';
import { DeviceClock } from '#gateway/sources/serial/device-clock.js';

const startUs = 5_000_000_000;

interface Sensor {
  seconds: number;
  /** Of the sensor's crystal, parts. */
  drift: number;
  /** Longest delay by the host's scheduling, µs. */
  jitterUs: number;
  wrap: number;
  tickUs: number;
}

/** A sensor at 1 kHz whose packets arrive in gulps: each read brings what came since the last. */
function played({ seconds, drift, jitterUs, wrap, tickUs }: Sensor): { trueUs: number; timeUs: number }[] {
  const clock = new DeviceClock(tickUs, wrap);
  const random = new Prng(7, 1);
  const results: { trueUs: number; timeUs: number }[] = [];
  let readUs = startUs;
  for (let i = 0; i < seconds * 1000; i++) {
    const trueUs = startUs + i * 1000;
    while (readUs < trueUs) readUs += 2000 + random.unit() * jitterUs;
    const deviceUs = (i * 1000) / (1 + drift);
    const ticks = Math.round(deviceUs / tickUs) % wrap;
    results.push({ trueUs, timeUs: clock.timeOf(ticks, Math.round(readUs)) });
  }
  assert.equal(clock.restarts, 0);
  return results;
}

const steps = (results: { timeUs: number }[]): number[] =>
  results.slice(1).map(({ timeUs }, i) => timeUs - results[i].timeUs);

describe('clock of a sensor', () => {
  for (const sensor of [
    { seconds: 120, drift: 0, jitterUs: 10_000, wrap: 2 ** 32, tickUs: 1 },
    { seconds: 300, drift: 40e-6, jitterUs: 12_000, wrap: 2 ** 32, tickUs: 1 },
    { seconds: 300, drift: -100e-6, jitterUs: 5_000, wrap: 2 ** 16, tickUs: 1 },
    { seconds: 120, drift: 20e-6, jitterUs: 16_000, wrap: 2 ** 16, tickUs: 1000 },
    { seconds: 120, drift: 300e-6, jitterUs: 16_000, wrap: 256, tickUs: 1000 },
  ]) {
    it(`is followed at ${sensor.drift * 1e6} ppm, wrapping after ${sensor.wrap * sensor.tickUs} µs, read with up to ${sensor.jitterUs} µs of jitter`, () => {
      const results = played(sensor).slice(20_000);
      const errors = results.map(({ trueUs, timeUs }) => timeUs - trueUs).sort((a, b) => a - b);
      const uneven = steps(results).reduce((most, step) => Math.max(most, Math.abs(step - 1000)), 0);
      const spread = errors[Math.floor(0.999 * errors.length)] - errors[Math.floor(0.001 * errors.length)];
      const { tickUs } = sensor;
      assert.ok(errors[0] > -500 - 2 * tickUs, `${errors[0]} µs early`);
      assert.ok(spread < 1200 + 2 * tickUs, `${spread} µs between the earliest and the latest`);
      assert.ok(uneven <= 2 + tickUs, `${uneven} µs uneven`);
    });
  }

  it('goes on after silence of many turns of its counter', () => {
    const clock = new DeviceClock(1, 2 ** 16);
    for (let i = 0; i < 3000; i++) clock.timeOf((i * 1000) % 2 ** 16, startUs + i * 1000);
    const later = 3000 + 100_000;
    const timeUs = clock.timeOf((later * 1000) % 2 ** 16, startUs + later * 1000 + 300);
    assert.ok(Math.abs(timeUs - startUs - later * 1000) < 2000, `${timeUs - startUs - later * 1000}`);
    assert.equal(clock.restarts, 0);
  });

  it('begins anew where the sensor does, and never steps back', () => {
    const clock = new DeviceClock(1, 2 ** 32);
    for (let i = 0; i < 5000; i++) clock.timeOf(900_000_000 + i * 1000, startUs + i * 1000);
    let before = 0;
    for (let i = 0; i < 5000; i++) {
      const arrivalUs = startUs + 5_500_000 + i * 1000;
      const timeUs = clock.timeOf(i * 1000, arrivalUs);
      assert.ok(timeUs >= before);
      assert.ok(Math.abs(timeUs - arrivalUs) < 1000, `${timeUs - arrivalUs}`);
      before = timeUs;
    }
    assert.equal(clock.restarts, 1);
  });

  it('never gives a time before the one before, whatever the counter says', () => {
    const clock = new DeviceClock(10, 2 ** 16);
    const random = new Prng(3, 3);
    let before = -Infinity;
    for (let i = 0; i < 2000; i++) {
      const timeUs = clock.timeOf(Math.floor(random.unit() * 2 ** 16), startUs + i * 5000);
      assert.ok(timeUs >= before && Number.isSafeInteger(timeUs));
      before = timeUs;
    }
  });
});
