/**
 * What every vehicle's position looks like, whatever receiver it has: the signals of the message `position`. The place
 * in this list is the place in a `Fix`.
 */
export const positionSignals = [
  { name: 'latitude', unit: '°', comment: 'north of the equator, WGS 84' },
  { name: 'longitude', unit: '°', comment: 'east of Greenwich, WGS 84' },
  { name: 'altitude', unit: 'm', comment: 'above mean sea level' },
  { name: 'altitudeEllipsoid', unit: 'm', comment: 'above the ellipsoid of WGS 84' },
  { name: 'speed', unit: 'm/s', comment: 'over ground' },
  { name: 'track', unit: '°', comment: 'course over ground, from true north' },
  { name: 'climb', unit: 'm/s', comment: 'upwards, where the receiver says it' },
  { name: 'mode', unit: '', comment: 'kind of fix' },
  { name: 'satellitesUsed', unit: '', comment: 'in the fix' },
  { name: 'satellitesSeen', unit: '', comment: 'in view, of all systems' },
  { name: 'hdop', unit: '', comment: 'horizontal dilution of precision' },
  { name: 'vdop', unit: '', comment: 'vertical dilution of precision' },
  { name: 'pdop', unit: '', comment: 'dilution of precision in space' },
  { name: 'horizontalError', unit: 'm', comment: 'as the receiver estimates it' },
  { name: 'verticalError', unit: 'm', comment: 'as the receiver estimates it' },
  { name: 'speedError', unit: 'm/s', comment: 'as the receiver estimates it' },
  { name: 'time', unit: 's', comment: "the receiver's own, since 1970 in UTC" },
] as const;

export type PositionName = (typeof positionSignals)[number]['name'];

/** Values by their place in `positionSignals`; NaN where nothing says them. */
export type Fix = Float64Array;

export const at = Object.fromEntries(positionSignals.map(({ name }, i) => [name, i])) as Readonly<
  Record<PositionName, number>
>;

export const newFix = (): Fix => new Float64Array(positionSignals.length).fill(NaN);

/** Values of `mode`, as gpsd numbers them. */
export const mode = { none: 1, flat: 2, full: 3 } as const;

export const modeLabels: ReadonlyMap<number, string> = new Map([
  [mode.none, 'no fix'],
  [mode.flat, '2D'],
  [mode.full, '3D'],
]);
