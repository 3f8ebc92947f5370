import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { at, positionSignals, type PositionName } from '#cloud/signals/gps/position.js';
import { CollectingSink } from './collecting-sink.js';
import { decodePositions } from './positions.js';
import { never, sourceOf } from './source-options.js';

const folder = '../shared/data/gps/gpsd';

export const whyNoGpsdLogs = `${folder} isn't there`;

/** Names of receivers' recordings with what gpsd must print for them; empty where they aren't here. */
export function gpsdLogs(): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.log'))
    .map((name) => name.slice(0, -'.log'.length));
}

/** What was said of one moment; several values where it was said several times. */
export type Moment = Partial<Record<PositionName, number[]>>;

/** By time, ms. */
export type Moments = Map<number, Moment>;

export interface OwnReading {
  moments: Moments;
  wrongChecksums: number;
  reports: number;
}

/** Reads the recording as the gateway does, and decodes its batches as the cloud does. */
export async function readOurselves(name: string): Promise<OwnReading> {
  const sink = new CollectingSink();
  await sourceOf({ source: 'file', format: 'ubx', path: `${folder}/${name}.log` }).run(
    sink,
    undefined,
    never,
  );
  const { fixes, types, wrongChecksums } = decodePositions(sink);
  const moments: Moments = new Map();
  for (const fix of fixes) {
    if (Number.isNaN(fix[at.time])) continue;
    const moment: Moment = {};
    for (const { name: field } of positionSignals) {
      if (!Number.isNaN(fix[at[field]])) moment[field] = [fix[at[field]]];
    }
    moments.set(Math.round(fix[at.time] * 1000), moment);
  }
  const reports = Object.values(types).reduce((sum, count) => sum + count, 0);
  return { moments, wrongChecksums, reports };
}

const tpvKeys = {
  latitude: 'lat',
  longitude: 'lon',
  altitude: 'altMSL',
  altitudeEllipsoid: 'altHAE',
  speed: 'speed',
  track: 'track',
  mode: 'mode',
} as const satisfies Partial<Record<PositionName, string>>;
const skyKeys = {
  hdop: 'hdop',
  vdop: 'vdop',
  pdop: 'pdop',
  satellitesUsed: 'uSat',
  satellitesSeen: 'nSat',
} as const satisfies Partial<Record<PositionName, string>>;

type Report = { class?: string; time?: string } & Record<string, unknown>;

/**
 * What gpsd's own decoder says, by the time of its reports. It reports while an epoch's sentences still come: of each
 * moment its last report of the position counts, and all that it says of the satellites.
 */
export function readGpsd(name: string): Moments {
  const path = `${folder}/${name}.log.chk`;
  const bytes = existsSync(path) ? readFileSync(path) : execFileSync('xz', ['-dc', `${path}.xz`], big);
  const moments: Moments = new Map();
  let sky: Moment = {};
  let last: Moment | undefined;
  for (const line of bytes.toString('latin1').split('\n')) {
    const report = parsed(line);
    if (report?.class === 'TPV' && report.time !== undefined) {
      const timeMs = Date.parse(report.time);
      last = { ...moments.get(timeMs), ...picked(report, tpvKeys) };
      addTo(last, sky);
      sky = {};
      moments.set(timeMs, last);
    } else if (report?.class === 'SKY') {
      addTo(last ?? sky, picked(report, skyKeys)); // a report right behind that of the position belongs to it
    } else {
      last = undefined;
    }
  }
  return moments;
}

const big = { maxBuffer: 1 << 28 };

function parsed(line: string): Report | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Report;
  } catch {
    return undefined;
  }
}

function picked(report: Report, keys: Partial<Record<PositionName, string>>): Moment {
  const moment: Moment = {};
  for (const [field, key] of Object.entries(keys)) {
    const value = report[key];
    if (typeof value === 'number') moment[field as PositionName] = [value];
  }
  return moment;
}

function addTo(moment: Moment, more: Moment): void {
  for (const [field, values] of Object.entries(more)) {
    const name = field as PositionName;
    moment[name] = [...(moment[name] ?? []), ...values];
  }
}
