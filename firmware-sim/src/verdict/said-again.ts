import { linesOf, minutesOf, hashLines } from '../ledger/minutes.js';
import type { StreamEntry } from '../ledger/ledger.js';
import { speechOf } from '../ledger/record.js';
import { streamsOf } from '../vehicle/kinds.js';

/**
 * Lets a vehicle say its minutes again: the ledger has only their hashes, and the vehicle is a function of its seed.
 * Minutes are asked for mostly in order; going back begins at the start.
 */
export class SaidAgain {
  private lines: Iterator<Uint8Array> | undefined;
  private minuteOf = minutesOf('candump', 0);
  private ahead: { minute: number; line: Uint8Array } | undefined;
  private last: { minute: number; lines: Uint8Array[] } | undefined;

  constructor(
    private readonly entry: StreamEntry,
    private readonly startUs: number,
    private readonly durationUs: number,
  ) {}

  /** The lines of a minute; undefined where this version of the simulator says something else than the ledger's. */
  minute(minute: number): Uint8Array[] | undefined {
    const expected = this.entry.minutes.find(([at]) => at === minute);
    if (!expected) return [];
    const lines = this.linesOfMinute(minute);
    return hashLines(lines) === expected[2] ? lines : undefined;
  }

  private linesOfMinute(minute: number): Uint8Array[] {
    if (this.last?.minute === minute) return this.last.lines;
    if (!this.lines || (this.last && this.last.minute > minute)) this.restart();
    const lines: Uint8Array[] = [];
    while (this.ahead && this.ahead.minute <= minute) {
      if (this.ahead.minute === minute) lines.push(Uint8Array.from(this.ahead.line));
      this.step();
    }
    this.last = { minute, lines };
    return lines;
  }

  private restart(): void {
    const { kind, stream, format } = this.entry;
    const speaker = streamsOf(kind).find((one) => one.stream === stream);
    const speech = speechOf(this.entry, this.startUs, this.durationUs);
    this.lines = linesOf(speaker?.speak(speech) ?? []);
    this.minuteOf = minutesOf(format, speech.startUs);
    this.last = undefined;
    this.step();
  }

  private step(): void {
    const next = this.lines?.next();
    this.ahead = next?.done ? undefined : { minute: this.minuteOf(next!.value), line: next!.value };
  }
}
