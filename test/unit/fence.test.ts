import assert from 'node:assert/strict';
import fc from 'fast-check';
import { distanceFrom, type Place } from '#cloud/alerts/fence.js';

/** Great circle, metres (haversine). */
function greatCircle([latitude1, longitude1]: Place, [latitude2, longitude2]: Place): number {
  const rad = Math.PI / 180;
  const a =
    Math.sin(((latitude2 - latitude1) * rad) / 2) ** 2 +
    Math.cos(latitude1 * rad) *
      Math.cos(latitude2 * rad) *
      Math.sin(((longitude2 - longitude1) * rad) / 2) ** 2;
  return 2 * 6_371_008.8 * Math.asin(Math.sqrt(a));
}

const near = (center: Place, maxDegrees: number): fc.Arbitrary<Place> =>
  fc
    .tuple(
      fc.double({ min: -maxDegrees, max: maxDegrees, noNaN: true }),
      fc.double({ min: -maxDegrees, max: maxDegrees, noNaN: true }),
    )
    .map(([north, east]) => [center[0] + north, center[1] + east]);

const munich: Place = [48.137, 11.575];
const square: Place[] = [
  [48.1, 11.5],
  [48.1, 11.6],
  [48.2, 11.6],
  [48.2, 11.5],
];

describe('fences', () => {
  it('a circle is as far away as the great circle says, to 1 %', () => {
    fc.assert(
      fc.property(near(munich, 2), (at) => {
        const distance = distanceFrom({ center: munich, radiusM: 0 }, at);
        assert.ok(Math.abs(distance - greatCircle(munich, at)) <= 0.01 * distance + 0.01);
      }),
    );
  });

  it('a circle over the 180th meridian is one circle', () => {
    const fence = { center: [-17, 179.99] as const, radiusM: 5000 };
    assert.ok(distanceFrom(fence, [-17, -179.99]) < 0);
    assert.ok(distanceFrom(fence, [-17, -179.9]) > 0);
  });

  it('a polygon has an inside, whichever way round it is written, and a border where the distance is 0', () => {
    for (const polygon of [square, square.toReversed()]) {
      assert.ok(distanceFrom({ polygon }, munich) < 0);
      assert.ok(distanceFrom({ polygon }, [48.25, 11.55]) > 0);
      assert.ok(Math.abs(distanceFrom({ polygon }, [48.1, 11.55])) < 1e-6);
    }
    const north = distanceFrom({ polygon: square }, [48.21, 11.55]);
    assert.ok(Math.abs(north - greatCircle([48.2, 11.55], [48.21, 11.55])) < 0.01 * north);
  });

  it('a polygon that is bent inwards leaves out the bay', () => {
    const polygon: Place[] = [...square.slice(0, 3), [48.11, 11.55], square[3]];
    assert.ok(distanceFrom({ polygon }, [48.15, 11.55]) > 0);
    assert.ok(distanceFrom({ polygon }, [48.15, 11.59]) < 0);
  });

  it('inside of a square is where both coordinates are between its sides', () => {
    fc.assert(
      fc.property(near([48.15, 11.55], 0.1), (at) => {
        const isInside = at[0] > 48.1 && at[0] < 48.2 && at[1] > 11.5 && at[1] < 11.6;
        const distance = distanceFrom({ polygon: square }, at);
        assert.ok(isInside ? distance <= 0 : distance >= 0, String(distance));
      }),
    );
  });
});
