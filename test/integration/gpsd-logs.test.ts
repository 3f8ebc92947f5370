import assert from 'node:assert/strict';
import type { PositionName } from '#cloud/signals/gps/position.js';
import {
  gpsdLogs,
  readGpsd,
  readOurselves,
  whyNoGpsdLogs,
  type Moment,
  type Moments,
} from '../support/gpsd-logs.js';

/** Half of the last digit that gpsd prints, and a little for the sum of roundings. */
const tolerances: Partial<Record<PositionName, number>> = {
  latitude: 0.6e-9,
  longitude: 0.6e-9,
  altitude: 0.6e-4,
  altitudeEllipsoid: 0.6e-4,
  speed: 0.6e-3,
  track: 0.6e-4,
  mode: 0,
  hdop: 0.006,
  vdop: 0.006,
  pdop: 0.006,
  satellitesUsed: 0,
  satellitesSeen: 0,
};
const fields = Object.keys(tolerances) as PositionName[];

interface Known {
  /** Values that differ, at most. */
  differs?: Partial<Record<PositionName, number>>;
  /** Values that only gpsd has, at most. */
  lacks?: Partial<Record<PositionName, number>>;
  /** Moments of gpsd's that we don't have, at most. */
  missing?: number;
  /** Coarser tolerances. */
  within?: Partial<Record<PositionName, number>>;
  /** Match by the time of the day alone. */
  byTimeOfDay?: boolean;
  why: string;
}

const otherProtocol = 'a binary protocol that is kept and not decoded';
const noSeparation = 'without a geoid separation in the sentence gpsd takes one from its own model';
const listedTwice = 'gpsd counts a satellite once for each signal that it is heard on';

/**
 * Where gpsd and we differ, and why. Climb and errors aren't compared: gpsd works them out
 * of altitudes and dilutions, we say what the receiver says.
 */
const known: Record<string, Known> = {
  'beidou-bd': {
    lacks: { satellitesSeen: 1 },
    why: 'a list of satellites is put to another moment',
  },
  'bu303-moving': { missing: 12, why: otherProtocol },
  'bu303-nofix': { missing: 7, why: otherProtocol },
  'garmin18x-bin': { missing: 29, why: otherProtocol },
  'mtk-3301': {
    differs: { mode: 1 },
    lacks: { satellitesSeen: 1 },
    why: 'GSA says 2D, gpsd sees an altitude and says 3D; a list of satellites is put to another moment',
  },
  'myguide-3100': {
    differs: { satellitesSeen: 1 },
    lacks: { altitudeEllipsoid: 8 },
    why: `${noSeparation}; and counts no satellites without a direction`,
  },
  'quectel-eg25-g': {
    differs: { satellitesUsed: 2, satellitesSeen: 3 },
    lacks: { vdop: 1, pdop: 1 },
    why: 'GNS counts the satellites of all systems, gpsd takes those of GPGGA; the order of the sentences changes with the fix, and from then on we put lists of satellites to the moment after theirs',
  },
  'quectel-l76k-nmea': {
    differs: { satellitesSeen: 1 },
    lacks: { satellitesUsed: 1 },
    why: 'the recording begins in the midst of a list',
  },
  quectelLC79D: { lacks: { altitudeEllipsoid: 30 }, why: noSeparation },
  rst39: {
    byTimeOfDay: true,
    lacks: { altitudeEllipsoid: 39, speed: 36 },
    why: `gpsd moves the date by 1,024 weeks, and works out speeds between RMC; ${noSeparation}`,
  },
  sirf2: { missing: 775, why: otherProtocol },
  'tcp-torture': { byTimeOfDay: true, why: 'gpsd moves the date by 1,024 weeks' },
  'telit-he910': { lacks: { altitudeEllipsoid: 187 }, why: noSeparation },
  'telit-pls83-w': {
    differs: { mode: 10, satellitesUsed: 2 },
    why: 'GSA says 2D, gpsd sees an altitude and says 3D; GNS counts the satellites of all systems',
  },
  'trimble-lassen_iq-playacar': { missing: 49, why: otherProtocol },
  'ublox-neo-m8l': {
    differs: { latitude: 1, longitude: 1, altitude: 1, altitudeEllipsoid: 1, speed: 1, track: 1 },
    lacks: { hdop: 21, vdop: 21, pdop: 20, satellitesUsed: 1, satellitesSeen: 2 },
    why: 'two fixes round to one ms; gpsd repeats the satellites of a moment before',
  },
  'ublox-zed-f9p-nmea': {
    differs: { satellitesUsed: 29, satellitesSeen: 29 },
    why: `GGA counts 12 at most, GSA lists all that are used; ${listedTwice}`,
  },
  'ublox-zed-f9r': {
    within: { latitude: 1.5e-7, longitude: 1.5e-7, altitude: 0.06, altitudeEllipsoid: 0.11, speed: 1.5e-3 },
    why: 'the receiver says all twice; gpsd takes NMEA, we take UBX, which has more digits',
  },
};

interface Comparison {
  name: string;
  moments: number;
  missing: number;
  agree: number;
  differ: Map<PositionName, string[]>;
  lack: Map<PositionName, string[]>;
}

function compare(name: string, theirs: Moments, ours: Moments): Comparison {
  const { within = {}, byTimeOfDay = false } = known[name] ?? {};
  const found: Comparison = { name, moments: 0, missing: 0, agree: 0, differ: new Map(), lack: new Map() };
  const keyOf = (timeMs: number): number => (byTimeOfDay ? timeMs % 86_400_000 : timeMs);
  const own = new Map(Array.from(ours, ([timeMs, moment]) => [keyOf(timeMs), moment]));
  for (const [timeMs, moment] of theirs) {
    const mine = own.get(keyOf(timeMs));
    if (!mine) {
      found.missing++;
      continue;
    }
    found.moments++;
    for (const field of fields)
      compareField(found, new Date(timeMs).toISOString(), field, moment, mine, within);
  }
  return found;
}

function compareField(
  found: Comparison,
  time: string,
  field: PositionName,
  theirs: Moment,
  ours: Moment,
  within: Partial<Record<PositionName, number>>,
): void {
  const said = theirs[field];
  const own = ours[field]?.[0];
  if (!said) return;
  const tolerance = within[field] ?? tolerances[field]!;
  if (own === undefined) note(found.lack, field, `${time} ${said.join('|')}`);
  else if (said.some((value) => Math.abs(value - own) <= tolerance)) found.agree++;
  else note(found.differ, field, `${time} ${said.join('|')} ≠ ${own}`);
}

const note = (map: Map<PositionName, string[]>, field: PositionName, text: string): void =>
  void map.set(field, [...(map.get(field) ?? []), text]);

const summary = (map: Map<PositionName, string[]>): string =>
  Array.from(map, ([field, all]) => `${field} ${all.length}`).join(', ');

describe('recordings of GPS receivers', () => {
  it('say what gpsd reads in them, value for value, but for the differences that are listed', async function () {
    this.timeout(120_000);
    const names = gpsdLogs();
    if (names.length === 0) {
      console.log(`      skipped: ${whyNoGpsdLogs}`);
      this.skip();
    }
    const unexpected: string[] = [];
    let moments = 0;
    let values = 0;
    for (const name of names) {
      const theirs = readGpsd(name);
      const { moments: ours, reports, wrongChecksums } = await readOurselves(name);
      const found = compare(name, theirs, ours);
      const { why, differs = {}, lacks = {}, missing = 0 } = known[name] ?? { why: '' };
      moments += found.moments;
      values += found.agree;
      const differing = summary(found.differ);
      const lacking = summary(found.lack);
      console.log(
        `      ${name}: ${reports} reports, ${wrongChecksums} wrong checksums; ${found.moments} of ${theirs.size} moments, ${found.agree} values agree` +
          (differing && `; differ: ${differing}`) +
          (lacking && `; only gpsd: ${lacking}`) +
          (why && ` (${why})`),
      );
      if (found.missing > missing) unexpected.push(`${name}: ${found.missing} moments are missing`);
      for (const [field, all] of found.differ) {
        if (all.length > (differs[field] ?? 0)) unexpected.push(`${name} ${field} ${all.length}: ${all[0]}`);
      }
      for (const [field, all] of found.lack) {
        if (all.length > (lacks[field] ?? 0))
          unexpected.push(`${name} lacks ${field} ${all.length}: ${all[0]}`);
      }
    }
    console.log(`      ${names.length} recordings, ${moments} moments, ${values} values`);
    assert.deepEqual(unexpected, []);
  });
});
