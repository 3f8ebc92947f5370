import { modeLabels, type PositionName } from '../position.js';
import { observeAll, signal, type ReportSignal, type ReportType } from '../report-type.js';

/** What gpsd writes as a line of JSON (gpsd_json(5)), of the classes that tell position, time, or how good they are. */
export type GpsdReport = Readonly<Record<string, unknown>>;

function valueOf(report: GpsdReport, ...keys: string[]): number {
  for (const key of keys) {
    const value = report[key];
    if (typeof value === 'number') return value;
  }
  return NaN;
}

/** `time` of a report, s since 1970; NaN where it has none. */
export function timeOf({ time }: GpsdReport): number {
  return typeof time === 'string' ? Date.parse(time) / 1000 : NaN;
}

const plain = (
  of: PositionName,
  name: string,
  unit: string,
  comment: string,
  ...olderNames: string[]
): ReportSignal<GpsdReport> =>
  signal(name, unit, comment, (report) => valueOf(report, name, ...olderNames), { of });

const tpv = [
  plain('latitude', 'lat', '°', 'latitude'),
  plain('longitude', 'lon', '°', 'longitude'),
  plain('altitude', 'altMSL', 'm', 'above mean sea level', 'alt'),
  plain('altitudeEllipsoid', 'altHAE', 'm', 'above the ellipsoid'),
  plain('speed', 'speed', 'm/s', 'over ground'),
  plain('track', 'track', '°', 'from true north'),
  plain('climb', 'climb', 'm/s', 'upwards'),
  plain('horizontalError', 'eph', 'm', 'horizontal error'),
  plain('verticalError', 'epv', 'm', 'vertical error'),
  plain('speedError', 'eps', 'm/s', 'error of the speed'),
  signal('time', 's', 'since 1970, UTC', timeOf, { of: 'time' }),
  signal<GpsdReport>('mode', '', 'kind of fix', (report) => valueOf(report, 'mode'), { labels: modeLabels }),
];

/** As the report counts them itself, or, before gpsd 3.21, by its list. */
function count(report: GpsdReport, key: string, isUsedOnly: boolean): number {
  const { satellites } = report;
  if (key in report || !Array.isArray(satellites)) return valueOf(report, key);
  if (!isUsedOnly) return satellites.length;
  return satellites.filter((one: unknown) => (one as { used?: unknown } | null)?.used === true).length;
}

const sky = [
  signal<GpsdReport>('nSat', '', 'satellites in view', (report) => count(report, 'nSat', false), {
    of: 'satellitesSeen',
  }),
  signal<GpsdReport>('uSat', '', 'satellites used', (report) => count(report, 'uSat', true), {
    of: 'satellitesUsed',
  }),
  plain('hdop', 'hdop', '', 'horizontal dilution of precision'),
  plain('vdop', 'vdop', '', 'vertical dilution of precision'),
  plain('pdop', 'pdop', '', 'dilution of precision in space'),
];

export const reportTypes: readonly ReportType<GpsdReport>[] = [
  {
    name: 'TPV',
    signals: tpv,
    observe(report, facts) {
      observeAll(tpv, report, facts);
      const mode = valueOf(report, 'mode');
      if (mode >= 0) facts.mode = Math.max(1, mode);
    },
  },
  { name: 'SKY', signals: sky, observe: (report, facts) => observeAll(sky, report, facts) },
];

const lineBytesMax = 64 * 1024;

/** The report that the line `[start, end)` is; undefined where it is none. */
export function readReport(bytes: Uint8Array, start: number, end: number): GpsdReport | undefined {
  if (end - start > lineBytesMax) return undefined;
  try {
    const report: unknown = JSON.parse(Buffer.from(bytes.subarray(start, end)).toString('utf8'));
    return typeof report === 'object' && report !== null ? (report as GpsdReport) : undefined;
  } catch {
    return undefined;
  }
}
