import { mayBeUbx, readUbx } from '@fleetlog/shared/gnss';
import type { EpochFacts } from './epoch.js';
import { readReport, reportTypes, timeOf, type GpsdReport } from './gpsd/reports.js';
import { SentenceDates } from './nmea/dates.js';
import { fieldsOf, findSentence } from './nmea/sentence.js';
import { sentenceTypes, type Fields } from './nmea/sentences.js';
import { at } from './position.js';
import type { ReportType } from './report-type.js';
import { messageTypes } from './ubx/messages.js';

/** In which language a receiver's report is; the order is that in which they are preferred where several tell a position. */
export const dialects = ['gpsd', 'ubx', 'nmea'] as const;
export type Dialect = (typeof dialects)[number];

/** A type of report. */
export interface ReportName {
  dialect: Dialect;
  name: string;
}

/** A report that a line was found to hold. */
export interface ReadReport {
  dialect: Dialect;
  /** Name of its type. */
  type: string;
  /** Of its epoch; NaN where it doesn't say. */
  tag: number;
  /** Each signal of its type, in their order. */
  read: (signal: number) => number;
  /** What it says about the position; undefined where it says nothing. */
  observe: ((facts: EpochFacts) => void) | undefined;
}

/** What a line was: a report, one whose checksum is wrong, or something else. */
export type LineOutcome = ReadReport | 'wrong checksum' | undefined;

const braceOpen = 123;

const sentences = new Map(sentenceTypes.map((type) => [type.name, type]));
const messages = new Map(messageTypes.map((type) => [type.id, type]));
const reports = new Map(reportTypes.map((type) => [type.name, type]));

export const typesOf: Readonly<Record<Dialect, readonly ReportType<never>[]>> = {
  gpsd: reportTypes,
  ubx: messageTypes,
  nmea: sentenceTypes,
};

/** Reads the lines of a stream, whose order matters only for the date of sentences that tell none. */
export class LineReader {
  private readonly dates = new SentenceDates();

  /** `isWanted`: types that are looked at; others are passed over as if they were other text. */
  constructor(private readonly isWanted: (type: string) => boolean = () => true) {}

  /** Reads the line, or the packet, `[start, end)`. */
  read(bytes: Uint8Array, start: number, end: number, recordedUs: number): LineOutcome {
    if (bytes[start] === braceOpen) return this.readGpsd(bytes, start, end);
    if (!mayBeUbx(bytes, start, end)) return this.readNmea(bytes, start, end, recordedUs);
    const packet = this.readUbx(bytes, start, end);
    // Half a packet may stand before a sentence, in a stream that was cut into lines.
    return packet === 'wrong checksum' ? (this.readNmea(bytes, start, end, recordedUs) ?? packet) : packet;
  }

  private readGpsd(bytes: Uint8Array, start: number, end: number): LineOutcome {
    const report = readReport(bytes, start, end);
    const type = report && reports.get(String(report.class));
    if (!type || !this.isWanted(type.name)) return undefined;
    return outcome<GpsdReport>('gpsd', type, report, timeOf(report));
  }

  private readUbx(bytes: Uint8Array, start: number, end: number): LineOutcome {
    const packet = readUbx(bytes, start, end);
    if (packet.state !== 'right') return 'wrong checksum';
    const { payload } = packet;
    const type = messages.get(packet.id);
    if (!type || payload.byteLength < type.bytesMin || !this.isWanted(type.name)) return undefined;
    return outcome('ubx', type, payload, payload.getUint32(type.timeOfWeekAt, true));
  }

  private readNmea(bytes: Uint8Array, start: number, end: number, recordedUs: number): LineOutcome {
    const sentence = findSentence(bytes, start, end);
    if (sentence?.state !== 'right') return sentence?.state;
    const type = sentences.get(sentence.type);
    if (!type || !this.isWanted(type.name)) return undefined;
    const fields: Fields = fieldsOf(bytes, sentence.start, sentence.end);
    const ofDay = type.secondsOfDay?.(fields) ?? NaN;
    const time = type.secondsOfDay ? this.dates.see(type, fields, ofDay, recordedUs) : NaN;
    return {
      ...outcome('nmea', type, fields, ofDay),
      observe(facts) {
        facts.set(at.time, time);
        type.observe?.(fields, facts);
      },
    };
  }
}

const outcome = <Report>(
  dialect: Dialect,
  { name, signals, observe }: ReportType<Report>,
  report: Report,
  tag: number,
): ReadReport => ({
  dialect,
  type: name,
  tag,
  read: (signal) => signals[signal].read(report),
  observe: observe && ((facts) => observe(report, facts)),
});
