import type { Clock } from '@fleetlog/shared/util';
import { NmeaTime } from './nmea-time.js';

/** Where the event times of text lines come from. */
export interface LineTimes {
  /** True where the times are those of a recording, so that it can be paced; false where they are the clock's. */
  readonly recorded: boolean;
  /** Looks at the first bytes of a recording. */
  lookAhead(bytes: Uint8Array, start: number, end: number): void;
  /** Event time of the line `[start, end)`; called once for each, in order. */
  timeOf(bytes: Uint8Array, start: number, end: number): number;
  /** For `restore` in a later life. */
  state(): unknown;
  restore(state: unknown): void;
}

/**
 * The wall clock at the moment of reading, for what arrives live. It follows forward steps of the clock; after a
 * backward step it goes on at the monotonic clock's pace, so that the order of the lines stays that of their times.
 */
export class ArrivalTimes implements LineTimes {
  readonly recorded = false;
  private lastUs = -Infinity;
  private lastMonotonicUs = 0;

  constructor(private readonly clock: Clock) {}

  lookAhead(): void {}

  timeOf(): number {
    const monotonicUs = this.clock.monotonicUs();
    this.lastUs = Math.max(this.clock.nowUs(), this.lastUs + monotonicUs - this.lastMonotonicUs);
    this.lastMonotonicUs = monotonicUs;
    return this.lastUs;
  }

  state(): unknown {
    return null;
  }

  restore(): void {}
}

/** How far a recording is searched for its first time. */
const LOOK_AHEAD_BYTES = 64 * 1024;

/**
 * The times that a recording's NMEA sentences tell. A line has the time of the last timed sentence up to it; lines
 * before the first have that first time. Where the first 64 KiB tell none, all lines have the clock's.
 */
export class RecordedTimes implements LineTimes {
  private readonly nmea = new NmeaTime();
  private readonly arrival: ArrivalTimes;
  private fromNmea = false;

  constructor(clock: Clock) {
    this.arrival = new ArrivalTimes(clock);
  }

  get recorded(): boolean {
    return this.fromNmea;
  }

  lookAhead(bytes: Uint8Array, start: number, end: number): void {
    const firstUs = NmeaTime.firstIn(bytes, start, Math.min(end, start + LOOK_AHEAD_BYTES));
    this.fromNmea = firstUs !== undefined;
    if (firstUs !== undefined) this.nmea.timeUs = firstUs;
  }

  timeOf(bytes: Uint8Array, start: number, end: number): number {
    if (!this.fromNmea) return this.arrival.timeOf();
    this.nmea.see(bytes, start, end);
    return this.nmea.timeUs!;
  }

  state(): unknown {
    return this.fromNmea ? { timeUs: this.nmea.timeUs, unconfirmedUs: this.nmea.unconfirmedUs } : null;
  }

  restore(state: unknown): void {
    this.fromNmea = state !== null && state !== undefined;
    const { timeUs, unconfirmedUs } = (state ?? {}) as { timeUs?: number; unconfirmedUs?: number };
    this.nmea.timeUs = timeUs;
    this.nmea.unconfirmedUs = unconfirmedUs;
  }
}
