import { limits, type GapCause } from '@fleetlog/shared/batch';
import type { RangeSet } from '@fleetlog/shared/util';

/** Sequences of one stream that were given up, and that one gap record stands for; stored at `first`. */
export interface GapSpan {
  first: number;
  last: number;
  cause: GapCause;
  /** For people: what happened. */
  detail: string;
  /** Records given up; -1 where nobody knows. */
  records: number;
  /** Event times between which records are missing. */
  firstTimeUs: number;
  lastTimeUs: number;
}

/** Spans of one stream, about; over it the oldest two of those given up on purpose become one. A month without the cloud must not make a million. */
export const gapSpansMax = 64;

/**
 * The gap records of one stream that the cloud doesn't hold yet, in order of sequence, none overlapping another.
 *
 * A span that follows another with the same cause becomes one with it, unless the other was sent: what is on its way
 * keeps its range, so that its acknowledgement fits. The record of what became one keeps the first sequence.
 */
export class GapSpans {
  private readonly spans: GapSpan[] = [];
  /** First sequences of those that the uplink has read. Not stored: after a restart they are sent again. */
  private readonly sent = new Set<number>();
  /** Those that aren't durable as they are now. */
  private readonly unstored = new Set<GapSpan>();
  private readonly vacated: number[] = [];

  get count(): number {
    return this.spans.length;
  }

  [Symbol.iterator](): Iterator<GapSpan> {
    return this.spans[Symbol.iterator]();
  }

  /** The span that a sequence belongs to. */
  at(sequence: number): GapSpan | undefined {
    let low = 0;
    let high = this.spans.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.spans[middle].last < sequence) low = middle + 1;
      else high = middle;
    }
    return low < this.spans.length && this.spans[low].first <= sequence ? this.spans[low] : undefined;
  }

  isStored(span: GapSpan): boolean {
    return !this.unstored.has(span);
  }

  /** What has to be written with the next commit, and the sequences whose stored records are part of others now. */
  takeChanges(): { spans: GapSpan[]; vacated: number[] } {
    return { spans: [...this.unstored], vacated: this.vacated.splice(0) };
  }

  /** These are durable. One that has changed since is another object. */
  stored(spans: readonly GapSpan[]): void {
    for (const span of spans) this.unstored.delete(span);
  }

  markSent(span: GapSpan): void {
    this.sent.add(span.first);
  }

  /** Adds a span that overlaps none of the others. */
  add(span: GapSpan): void {
    const at = this.spans.findIndex(({ first }) => first > span.first);
    const index = at < 0 ? this.spans.length : at;
    this.spans.splice(index, 0, span);
    this.unstored.add(span);
    if (this.fits(index)) this.join(index);
    if (index > 0 && this.fits(index - 1)) this.join(index - 1);
    if (this.spans.length > gapSpansMax) {
      const oldest = this.spans.findIndex((_, i) => this.mayJoin(i));
      if (oldest >= 0) this.join(oldest);
    }
  }

  remove(span: GapSpan): void {
    const index = this.spans.indexOf(span);
    if (index >= 0) this.spans.splice(index, 1);
    this.sent.delete(span.first);
    this.unstored.delete(span);
  }

  /** Sequences in spans that `done` doesn't have. */
  covered(done: RangeSet): number {
    let count = 0;
    for (const { first, last } of this.spans) {
      for (const [from, to] of done.holes(first, last)) count += to - from + 1;
    }
    return count;
  }

  /** Whether the span at `index` and its successor are about one and the same loss. */
  private fits(index: number): boolean {
    if (index + 1 >= this.spans.length) return false;
    const [a, b] = this.spans.slice(index, index + 2);
    return (
      a.last + 1 === b.first && a.cause === b.cause && !this.sent.has(a.first) && !this.sent.has(b.first)
    );
  }

  /** Whether that one may take in its successor and what lies between, which is no more where oldest ones go first. */
  private mayJoin(index: number): boolean {
    if (index + 1 >= this.spans.length) return false;
    const [a, b] = this.spans.slice(index, index + 2);
    if (this.sent.has(a.first) || this.sent.has(b.first)) return false;
    return (
      a.last + 1 === b.first || [a, b].every(({ cause }) => cause === 'buffer-full' || cause === 'expired')
    );
  }

  /** The span at `index` takes in its successor, and whatever lies between. */
  private join(index: number): void {
    const [a, b] = this.spans.splice(index, 2);
    const known = a.records >= 0 && b.records >= 0;
    const joined: GapSpan = {
      first: a.first,
      last: b.last,
      cause: a.cause,
      detail: (a.cause === b.cause ? b.detail : `${a.detail} ${b.detail}`).slice(0, limits.gapDetailCharsMax),
      records: known ? a.records + b.records : -1,
      firstTimeUs: Math.min(a.firstTimeUs, b.firstTimeUs),
      lastTimeUs: Math.max(a.lastTimeUs, b.lastTimeUs),
    };
    this.spans.splice(index, 0, joined);
    this.vacated.push(b.first);
    for (const part of [a, b]) {
      this.sent.delete(part.first);
      this.unstored.delete(part);
    }
    this.unstored.add(joined);
  }

  toJSON(): readonly GapSpan[] {
    return this.spans;
  }

  /** `spans` as `toJSON` gives them. */
  static from(spans: readonly GapSpan[]): GapSpans {
    const set = new GapSpans();
    set.spans.push(...spans);
    return set;
  }
}
