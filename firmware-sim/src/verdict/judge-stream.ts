import { hashLines, MINUTE_US, minutesOf, type MinuteOf } from '../ledger/minutes.js';
import type { StreamEntry } from '../ledger/ledger.js';
import { diffMinute } from './minute-diff.js';
import type { StreamGaps } from './cloud-log.js';
import { SaidAgain } from './said-again.js';

/** What became of one stream. All but the first three must be 0. */
export interface StreamVerdict {
  gateway: string;
  stream: string;
  sent: number;
  logged: number;
  /** Records that the gateway gave up and said so. */
  explained: number;
  lost: number;
  duplicated: number;
  altered: number;
  outOfOrder: number;
  /** Batches that are neither held nor explained. */
  openBatches: number;
  ageMs?: StreamEntry['ageMs'];
}

/**
 * Holds a stream of the log against what was said. The minutes come as their lines do; where one has another hash than
 * in the ledger the vehicle says it again, and the two are compared line by line.
 */
export class StreamJudge {
  private readonly said: SaidAgain;
  private readonly minutes: Map<number, { records: number; hash: string }>;
  private readonly minuteOf: MinuteOf;
  private readonly departedUs: number;
  private open: Uint8Array[] = [];
  private openMinute = -1;
  /** Lines that are missing, by minute; one that turns up later was out of order. */
  private readonly lost = new Map<number, Uint8Array[]>();
  private readonly seen = new Set<number>();
  /** Lines that came when their minute was over already. */
  private readonly strays = new Map<number, Uint8Array[]>();
  private logged = 0;
  private duplicated = 0;
  private altered = 0;
  private outOfOrder = 0;
  /** Missing by count alone, where nobody can say which. */
  private lostUnknown = 0;

  constructor(
    private readonly entry: StreamEntry,
    startUs: number,
    durationUs: number,
  ) {
    this.departedUs = startUs + (entry.trip?.departsUs ?? 0);
    this.said = new SaidAgain(entry, startUs, durationUs);
    this.minutes = new Map(entry.minutes.map(([minute, records, hash]) => [minute, { records, hash }]));
    this.minuteOf = minutesOf(entry.format, this.departedUs);
  }

  /** One line of the log; it is kept until its minute is over. */
  take(line: Uint8Array): void {
    const minute = this.minuteOf(line);
    this.logged++;
    if (!this.minutes.has(minute)) {
      this.altered++;
    } else if (minute < this.openMinute) {
      const others = this.strays.get(minute);
      if (others) others.push(line);
      else this.strays.set(minute, [line]);
    } else {
      if (minute > this.openMinute) this.close();
      this.openMinute = minute;
      this.open.push(line);
    }
  }

  finish(gaps: StreamGaps): StreamVerdict {
    this.close();
    for (const minute of this.minutes.keys()) if (!this.seen.has(minute)) this.compare(minute, []);
    for (const [minute, lines] of this.strays) this.comeLate(minute, lines);
    const { gateway, stream, records, ageMs } = this.entry;
    const missing = this.lostUnknown + [...this.lost.values()].reduce((sum, lines) => sum + lines.length, 0);
    // What came instead of a record that is missing is that record, altered.
    const unaltered = Math.max(0, missing - this.altered);
    const explained = Math.min(unaltered, this.explainedBy(gaps));
    return {
      gateway,
      stream,
      sent: records,
      logged: this.logged,
      explained,
      lost: unaltered - explained,
      duplicated: this.duplicated,
      altered: this.altered,
      outOfOrder: this.outOfOrder,
      openBatches: gaps.openBatches,
      ...(ageMs && { ageMs }),
    };
  }

  private close(): void {
    if (this.open.length > 0) this.compare(this.openMinute, this.open);
    this.open = [];
  }

  private compare(minute: number, lines: readonly Uint8Array[]): void {
    this.seen.add(minute);
    const expected = this.minutes.get(minute);
    if (expected && expected.records === lines.length && expected.hash === hashLines(lines)) return;
    const said = this.said.minute(minute);
    if (!said) {
      const difference = (expected?.records ?? 0) - lines.length;
      if (difference > 0) this.lostUnknown += difference;
      else if (difference < 0) this.duplicated -= difference;
      else this.altered += 1; // how many is more than the ledger knows
      return;
    }
    const diff = diffMinute(said, lines);
    if (diff.lost.length > 0) this.lost.set(minute, diff.lost);
    this.duplicated += diff.duplicated;
    this.altered += diff.foreign;
    this.outOfOrder += diff.outOfOrder;
  }

  /** A line that is missing from its minute was out of order, another one that was said came twice. */
  private comeLate(minute: number, lines: readonly Uint8Array[]): void {
    const late = diffMinute(this.lost.get(minute) ?? [], lines);
    this.outOfOrder += lines.length - late.foreign - late.duplicated;
    this.lost.set(minute, late.lost);
    const foreign = diffMinute(this.said.minute(minute) ?? [], lines).foreign;
    this.altered += foreign;
    this.duplicated += late.foreign + late.duplicated - foreign;
  }

  /** How many of the missing lines lie where the gateway said that it gave up some. */
  private explainedBy({ explained }: StreamGaps): number {
    const told = explained.reduce((sum, { records }) => sum + (records < 0 ? Infinity : records), 0);
    if (told === 0) return 0;
    let within = this.lostUnknown;
    for (const [minute, lines] of this.lost) {
      const fromUs = this.departedUs + minute * MINUTE_US;
      const overlaps = explained.some(
        ({ firstTimeUs, lastTimeUs }) => firstTimeUs < fromUs + MINUTE_US && lastTimeUs >= fromUs,
      );
      if (overlaps) within += lines.length;
    }
    return Math.min(within, told);
  }
}
