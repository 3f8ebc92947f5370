import type { EpochFacts } from './epoch.js';
import { at, type PositionName } from './position.js';

/** One number that a report of a receiver holds. */
export interface ReportSignal<Report> {
  name: string;
  unit: string;
  comment: string;
  /** Text of values that have one. */
  labels?: ReadonlyMap<number, string>;
  /** What of the vehicle's position it is, if it is. */
  of?: PositionName;
  /** NaN where the report doesn't say it. */
  read: (report: Report) => number;
}

/** One kind of report: an NMEA sentence, a UBX message, a class of gpsd's. */
export interface ReportType<Report> {
  /** What people call it: `RMC`, `NAV-PVT`, `TPV`. */
  name: string;
  signals: readonly ReportSignal<Report>[];
  /** What it says about the position and the satellites. */
  observe?: (report: Report, facts: EpochFacts) => void;
}

/** A reader of a number, with what people have to know of it. */
export const signal = <Report>(
  name: string,
  unit: string,
  comment: string,
  read: (report: Report) => number,
  more: { labels?: ReadonlyMap<number, string>; of?: PositionName } = {},
): ReportSignal<Report> => ({ name, unit, comment, read, ...more });

/** Puts in what is of the position. */
export function observeAll<Report>(
  signals: readonly ReportSignal<Report>[],
  report: Report,
  facts: EpochFacts,
): void {
  for (const { of, read } of signals) if (of !== undefined) facts.set(at[of], read(report));
}
