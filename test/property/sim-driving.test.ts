import assert from 'node:assert/strict';
import { cycles } from '#sim/vehicle/physics/cycles.js';
import { drivings } from '#sim/vehicle/physics/driving.js';
import { kindNames, physicalKindOf } from '#sim/vehicle/kinds.js';
import { quantity as q } from '#sim/vehicle/physics/quantities.js';

const sum = (speeds: Float64Array, from = 0, to = speeds.length - 1): number =>
  speeds.subarray(from, to + 1).reduce((metres, speed) => metres + speed, 0);
const round = (value: number, digits: number): number => Number(value.toFixed(digits));

describe('published driving cycles', function () {
  this.timeout(60_000);

  it('are what the regulations say of them', () => {
    const { wltc, udds } = cycles;
    assert.equal(wltc.length, 1801);
    assert.equal(round(Math.max(...wltc) * 3.6, 1), 131.3);
    // The checksums of GTR 15, annex 1: sums of km/h, of the whole and of its four phases.
    assert.equal(round(sum(wltc) * 3.6, 1), 83_758.6);
    const phases = [
      [0, 589],
      [590, 1022],
      [1023, 1477],
      [1478, 1800],
    ].map(([from, to]) => round(sum(wltc, from, to) * 3.6, 1));
    assert.deepEqual(phases, [11_140.3, 17_121.2, 25_782.2, 29_714.9]);
    assert.equal(udds.length, 1370);
    assert.equal(round(Math.max(...udds) / 0.44704, 1), 56.7);
    assert.equal(round(sum(udds) / 1609.344, 2), 7.45);
  });

  for (const cycle of ['wltc', 'udds'] as const) {
    for (const kind of ['combustion-car', 'electric-car']) {
      it(`${cycle}: a ${kind} follows it within 2 km/h and 1 s, again and again`, () => {
        const speeds = cycles[cycle];
        const lastS = speeds.length - 1;
        const vehicle = physicalKindOf(kind)!.create(5, { driving: cycle });
        let worstKmh = 0;
        for (let tenth = 1; tenth <= 20 * lastS; tenth++) {
          vehicle.advanceTo(tenth * 1e5);
          const second = (tenth / 10) % lastS;
          const near = [-1, -0.5, 0, 0.5, 1].map((s) => at(speeds, (second + s + lastS) % lastS));
          const { speedMps } = vehicle;
          const outside = Math.max(speedMps - Math.max(...near), Math.min(...near) - speedMps, 0);
          worstKmh = Math.max(worstKmh, outside * 3.6);
        }
        assert.ok(worstKmh < 2, `${worstKmh} km/h outside`);
        const expectedM = 2 * sum(speeds);
        const drivenM = vehicle.values[q.distance];
        assert.ok(Math.abs(drivenM - expectedM) < 0.005 * expectedM, `${drivenM} of ${expectedM} m`);
        assert.equal(vehicle.work.slopeJ, 0);
      });
    }
  }

  it('in towns nobody is faster than 50 km/h, and everybody stops at times', () => {
    for (const kind of kindNames.filter((name) => physicalKindOf(name))) {
      const vehicle = physicalKindOf(kind)!.create(9, { driving: 'town' });
      let fastest = 0;
      let stops = 0;
      let stood = true;
      for (let second = 1; second <= 1800; second++) {
        vehicle.advanceTo(second * 1e6);
        fastest = Math.max(fastest, vehicle.speedMps * 3.6);
        const stands = vehicle.speedMps === 0;
        if (stands && !stood) stops++;
        stood = stands;
      }
      assert.ok(fastest > 25 && fastest < 54, `${kind}: ${fastest} km/h`);
      assert.ok(stops >= 5, `${kind}: ${stops} stops`);
    }
    assert.ok(drivings.includes('town'));
  });
});

function at(speeds: Float64Array, second: number): number {
  const whole = Math.floor(second);
  const next = speeds[Math.min(whole + 1, speeds.length - 1)];
  return speeds[whole] + (next - speeds[whole]) * (second - whole);
}
