/** On the earth: latitude and longitude in degrees, WGS 84. */
export type Place = readonly [latitude: number, longitude: number];

export type Fence = { center: Place; radiusM: number } | { polygon: readonly Place[] };

const earthRadiusM = 6_371_008.8;
const radians = Math.PI / 180;

/**
 * Metres from the border of a fence: positive outside, negative inside. Flat around the place, which is right to 1 %
 * for some hundred kilometres away from the poles; a polygon doesn't cross the 180th meridian.
 */
export function distanceFrom(fence: Fence, at: Place): number {
  if ('center' in fence) {
    const [x, y] = flat(at, fence.center);
    return Math.hypot(x, y) - fence.radiusM;
  }
  const points = fence.polygon.map((point) => flat(at, point));
  let nearest = Infinity;
  let isInside = false;
  for (let i = 0, j = points.length - 1; i < points.length; j = i++) {
    const [ax, ay] = points[j];
    const [bx, by] = points[i];
    nearest = Math.min(nearest, toSegment(ax, ay, bx, by));
    // A ray from here along +x crosses the border once more or less often than it enters.
    if (ay > 0 !== by > 0 && ax + ((bx - ax) * -ay) / (by - ay) > 0) isInside = !isInside;
  }
  return isInside ? -nearest : nearest;
}

/** Metres east and north of `origin`. */
function flat(origin: Place, [latitude, longitude]: Place): [number, number] {
  const turn = (((longitude - origin[1] + 540) % 360) + 360) % 360;
  const east = (turn - 180) * Math.cos(((latitude + origin[0]) / 2) * radians);
  return [east * radians * earthRadiusM, (latitude - origin[0]) * radians * earthRadiusM];
}

/** Distance of the origin from a segment. */
function toSegment(ax: number, ay: number, bx: number, by: number): number {
  const [dx, dy] = [bx - ax, by - ay];
  const length = dx * dx + dy * dy;
  const along = length === 0 ? 0 : Math.min(1, Math.max(0, -(ax * dx + ay * dy) / length));
  return Math.hypot(ax + along * dx, ay + along * dy);
}
