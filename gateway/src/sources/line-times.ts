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

/** What lines are stamped with that tell no time: never steps back, but where the feed is told so. */
export interface StampClock {
  nowUs(): number;
}

/** The moment of reading, for what arrives live; `see` gets each line as it arrives. */
export class ArrivalTimes implements LineTimes {
  readonly recorded = false;

  constructor(
    private readonly clock: StampClock,
    private readonly see?: (bytes: Uint8Array, start: number, end: number) => void,
  ) {}

  lookAhead(): void {}

  timeOf(bytes: Uint8Array, start: number, end: number): number {
    const timeUs = this.clock.nowUs();
    this.see?.(bytes, start, end);
    return timeUs;
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

  constructor(clock: StampClock) {
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
    if (!this.fromNmea) return this.arrival.timeOf(bytes, start, end);
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
