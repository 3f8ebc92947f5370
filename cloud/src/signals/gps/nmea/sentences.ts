import type { EpochFacts } from '../epoch.js';
import { at, modeLabels } from '../position.js';
import { signal, type ReportSignal, type ReportType } from '../report-type.js';
import { degreesOf, fromKnots, numberOf, secondsOfDate, secondsOfDay, secondsOfShortDate } from './values.js';

/** The fields of a sentence; field 0 is talker and type. */
export type Fields = readonly string[];

type Reader = (fields: Fields) => number;

export interface SentenceType extends ReportType<Fields> {
  /** Time of the day to which the sentence belongs, s; absent where it tells none. */
  secondsOfDay?: Reader;
  /** Day that it tells, s since 1970. */
  secondsOfDate?: Reader;
}

const number =
  (field: number): Reader =>
  (fields) =>
    numberOf(fields[field]);
const time =
  (field: number): Reader =>
  (fields) =>
    secondsOfDay(fields[field]);

const place = (field: number): ReportSignal<Fields>[] => [
  signal('latitude', '°', 'north', (f) => degreesOf(f[field], f[field + 1])),
  signal('longitude', '°', 'east', (f) => degreesOf(f[field + 2], f[field + 3])),
];
const speed = (field: number): ReportSignal<Fields> =>
  signal('speed', 'm/s', 'over ground', (f) => fromKnots(f[field]));
const track = (field: number): ReportSignal<Fields> =>
  signal('track', '°', 'course over ground, true', number(field));

const validLabels = new Map([
  [0, 'void'],
  [1, 'valid'],
]);
/** `A`: data valid; `V`: a warning. */
const valid = (field: number): ReportSignal<Fields> =>
  signal('valid', '', 'whether the receiver trusts it', (f) => statusOf(f[field]), { labels: validLabels });

function statusOf(field: string | undefined): number {
  if (field === 'A') return 1;
  return field === 'V' ? 0 : NaN;
}

/** NMEA 0183 version 4, of GGA. */
const qualityLabels = new Map(
  ['no fix', 'GPS', 'differential', 'PPS', 'RTK', 'RTK float', 'dead reckoning', 'manual', 'simulated'].map(
    (label, i) => [i, label],
  ),
);

function placeTo(facts: EpochFacts, fields: Fields, field: number): void {
  const latitude = degreesOf(fields[field], fields[field + 1]);
  const longitude = degreesOf(fields[field + 2], fields[field + 3]);
  if (Number.isNaN(latitude) || Number.isNaN(longitude)) return;
  facts.set(at.latitude, latitude);
  facts.set(at.longitude, longitude);
}

function altitudeTo(facts: EpochFacts, altitude: number, separation: number): void {
  facts.set(at.altitude, altitude);
  facts.set(at.altitudeEllipsoid, altitude + separation);
}

function errorsTo(facts: EpochFacts, fields: Fields, first: number): void {
  facts.set(at.horizontalError, Math.hypot(numberOf(fields[first]), numberOf(fields[first + 1])));
  facts.set(at.verticalError, numberOf(fields[first + 2]));
}

/** Satellites that GSA lists: fields 3 to 14. */
const listed = (fields: Fields): string[] =>
  fields.slice(3, 15).filter((satellite) => numberOf(satellite) > 0);

/** Only the first sentence of a group counts: the others repeat it. */
const inView: Reader = (fields) => (fields[2] === '1' ? numberOf(fields[3]) : NaN);

/**
 * Sentences of NMEA 0183 that tell position, time, speed or how good they are, of any talker. Everything else is kept in
 * the log as it came, and not decoded.
 */
export const sentenceTypes: readonly SentenceType[] = [
  {
    name: 'RMC',
    signals: [
      ...place(3),
      speed(7),
      track(8),
      valid(2),
      signal('time', 's', 'since 1970, UTC', (f) => secondsOfShortDate(f[9]) + secondsOfDay(f[1])),
    ],
    secondsOfDay: time(1),
    secondsOfDate: (f) => secondsOfShortDate(f[9]),
    observe(f, facts) {
      if (f[2] !== 'A') {
        facts.isValid ??= false;
        return;
      }
      facts.isValid = true;
      placeTo(facts, f, 3);
      facts.set(at.speed, fromKnots(f[7]));
      facts.set(at.track, numberOf(f[8]));
    },
  },
  {
    name: 'GGA',
    signals: [
      ...place(2),
      signal('altitude', 'm', 'above mean sea level', number(9)),
      signal('geoidSeparation', 'm', 'of mean sea level from the ellipsoid', number(11)),
      signal('quality', '', 'kind of fix', number(6), { labels: qualityLabels }),
      signal('satellites', '', 'used', number(7)),
      signal('hdop', '', 'horizontal dilution of precision', number(8)),
      signal('differentialAge', 's', 'of the last correction', number(13)),
    ],
    secondsOfDay: time(1),
    observe(f, facts) {
      facts.countUsed(numberOf(f[7]));
      facts.set(at.hdop, numberOf(f[8]));
      facts.isValid = numberOf(f[6]) > 0;
      if (!facts.isValid) return;
      placeTo(facts, f, 2);
      altitudeTo(facts, numberOf(f[9]), numberOf(f[11]));
    },
  },
  {
    name: 'GNS',
    signals: [
      ...place(2),
      signal('altitude', 'm', 'above mean sea level', number(9)),
      signal('geoidSeparation', 'm', 'of mean sea level from the ellipsoid', number(10)),
      signal('satellites', '', 'used', number(7)),
      signal('hdop', '', 'horizontal dilution of precision', number(8)),
    ],
    secondsOfDay: time(1),
    observe(f, facts) {
      facts.countUsed(numberOf(f[7]));
      facts.set(at.hdop, numberOf(f[8]));
      facts.isValid = /[^N]/.test(f[6] ?? '');
      if (!facts.isValid) return;
      placeTo(facts, f, 2);
      altitudeTo(facts, numberOf(f[9]), numberOf(f[10]));
    },
  },
  {
    name: 'GLL',
    signals: [...place(1), valid(6)],
    secondsOfDay: time(5),
    observe(f, facts) {
      if (f[6] !== 'A') {
        facts.isValid ??= false;
        return;
      }
      facts.isValid = true;
      placeTo(facts, f, 1);
    },
  },
  {
    name: 'VTG',
    signals: [speed(5), track(1)],
    observe(f, facts) {
      if (f[9] === 'N') return;
      facts.set(at.speed, fromKnots(f[5]));
      facts.set(at.track, numberOf(f[1]));
    },
  },
  {
    name: 'GSA',
    signals: [
      signal('mode', '', 'kind of fix', number(2), { labels: modeLabels }),
      signal('satellites', '', 'used, of one system', (f) => listed(f).length),
      signal('pdop', '', 'dilution of precision in space', number(15)),
      signal('hdop', '', 'horizontal dilution of precision', number(16)),
      signal('vdop', '', 'vertical dilution of precision', number(17)),
    ],
    observe(f, facts) {
      const mode = numberOf(f[2]);
      if (mode >= 1 && mode <= 3) facts.mode = mode;
      // Since version 4.10 field 18 tells the system; before, each had numbers of its own.
      for (const satellite of listed(f)) facts.listUsed(`${f[18] ?? ''}:${satellite}`);
      facts.set(at.pdop, numberOf(f[15]));
      facts.set(at.hdop, numberOf(f[16]));
      facts.set(at.vdop, numberOf(f[17]));
    },
  },
  {
    name: 'GSV',
    signals: [signal('satellites', '', 'in view, of one system', inView)],
    observe(f, facts) {
      facts.see(f[0], inView(f));
    },
  },
  {
    name: 'ZDA',
    signals: [
      signal('time', 's', 'since 1970, UTC', (f) => secondsOfDate(f[4], f[3], f[2]) + secondsOfDay(f[1])),
    ],
    secondsOfDay: time(1),
    secondsOfDate: (f) => secondsOfDate(f[4], f[3], f[2]),
  },
  {
    name: 'GST',
    signals: [
      signal('rms', 'm', 'of the residuals of the ranges', number(2)),
      signal('latitudeError', 'm', 'standard deviation', number(6)),
      signal('longitudeError', 'm', 'standard deviation', number(7)),
      signal('altitudeError', 'm', 'standard deviation', number(8)),
    ],
    secondsOfDay: time(1),
    observe: (f, facts) => errorsTo(facts, f, 6),
  },
  {
    name: 'GBS',
    signals: [
      signal('latitudeError', 'm', 'expected', number(2)),
      signal('longitudeError', 'm', 'expected', number(3)),
      signal('altitudeError', 'm', 'expected', number(4)),
    ],
    secondsOfDay: time(1),
    observe(f, facts) {
      if (Number.isNaN(facts.fix[at.horizontalError])) errorsTo(facts, f, 2);
    },
  },
  { name: 'HDT', signals: [signal('heading', '°', 'of the vehicle, true', number(1))] },
];
