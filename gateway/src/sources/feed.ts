import type { EncodedPayload, StreamKind } from '@fleetlog/shared/batch';
import type { Batcher, RecordColumns } from '../batch/batcher.js';
import type { LineWindow } from './line-window.js';

/** Why a feed stopped taking lines. */
export type FeedStop =
  /** No whole line is left in the window. */
  | 'empty'
  /** The batch must be sealed before the feed goes on. */
  | 'seal'
  /** The next record's event time, `nextTimeUs`, is after `dueUs`. */
  | 'later'
  /** The record just taken lies further back than `REWIND_US`: pace starts anew from `lastTimeUs`. */
  | 'rewound'
  /** The line just taken, number `lineNumber`, is no record; `reason` says why. */
  | 'malformed';

/** A step back in event time at which a recording counts as started anew. */
const REWIND_US = 10_000_000;

/** What a feed must know to go on in the middle of a recording; part of a source's position. */
export interface FeedState {
  lineNumber: number;
  malformed: number;
  timeReversals: number;
  lastTimeUs: number | null;
  /** Of a `lines` feed. */
  lineTimes?: unknown;
}

/** Takes lines out of a window and appends what they hold to a batcher's columns: one per text format. */
export abstract class Feed {
  abstract readonly kind: StreamKind;
  /** A longer line, its line feed included, is malformed. */
  abstract readonly lineBytesMax: number;
  abstract readonly columns: RecordColumns;
  /** False where a record doesn't end with a line feed. */
  readonly cutsLines: boolean = true;
  /** Bytes that are no record of the format; kept all the same. */
  noiseBytes = 0;

  /** `malformed` and `timeReversals` go on from a restored state. */
  readonly counters = { records: 0, malformed: 0, timeReversals: 0 };
  /** Records after this event time are left for `later`. */
  dueUs = Infinity;
  /** Event time of the record that is left for `later`. */
  nextTimeUs = 0;
  /** Event time of the last record; -Infinity before the first. */
  lastTimeUs = -Infinity;
  /** Of the last line taken, from 1. */
  lineNumber = 0;
  reason = '';
  /** Stream offset of the last line that was malformed. */
  refusedOffset = 0;

  /** Added to each event time. */
  abstract shiftUs: number;

  /** Takes whole lines until there is a reason to stop. */
  take(window: LineWindow, batcher: Batcher): FeedStop {
    if (!window.skipped) return this.takeLines(window, batcher);
    window.skipped = false;
    this.refusedOffset = window.skippedOffset;
    return this.refuse(this.tooLong);
  }

  /** Looks at the first lines of a recording before any is taken. */
  abstract lookAhead(window: LineWindow): void;
  protected abstract takeLines(window: LineWindow, batcher: Batcher): FeedStop;
  /** At the stream's end, when all whole lines are taken: takes the line without a line feed, or passes over it. */
  takeUnfinished(window: LineWindow, batcher: Batcher): FeedStop {
    if (window.skipping) {
      window.finish();
      return this.take(window, batcher);
    }
    const stop = this.takeLast(window, batcher);
    if (window.at === window.end) window.finish();
    return stop;
  }

  /** Takes `[window.at, window.end)`, which has no line feed. */
  protected abstract takeLast(window: LineWindow, batcher: Batcher): FeedStop;
  abstract encode(): EncodedPayload;

  state(): FeedState {
    const { malformed, timeReversals } = this.counters;
    const lastTimeUs = this.lastTimeUs === -Infinity ? null : this.lastTimeUs;
    return { lineNumber: this.lineNumber, malformed, timeReversals, lastTimeUs };
  }

  restore(state: FeedState): void {
    this.lineNumber = state.lineNumber;
    this.counters.malformed = state.malformed;
    this.counters.timeReversals = state.timeReversals;
    this.lastTimeUs = state.lastTimeUs ?? -Infinity;
  }

  /** What comes next was stamped with another offset of the clock: earlier times are no steps back. */
  restartTimes(): void {
    this.lastTimeUs = -Infinity;
  }

  protected get tooLong(): string {
    return `longer than ${this.lineBytesMax} bytes`;
  }

  /** Passes over the line at the window's start, which is no record. */
  protected refuseLine(window: LineWindow, end: number, reason: string): FeedStop {
    this.refusedOffset = window.position;
    window.at = end;
    return this.refuse(reason);
  }

  private refuse(reason: string): FeedStop {
    this.lineNumber++;
    this.counters.malformed++;
    this.reason = reason;
    return 'malformed';
  }

  /** Counts a line that was a record; true where its time steps back so far that pace starts anew. */
  protected accept(timeUs: number): boolean {
    this.lineNumber++;
    this.counters.records++;
    const stepUs = timeUs - this.lastTimeUs;
    this.lastTimeUs = timeUs;
    if (stepUs >= 0) return false;
    this.counters.timeReversals++;
    return stepUs < -REWIND_US;
  }
}
