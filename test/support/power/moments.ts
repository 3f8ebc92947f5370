import type { GatewayReport } from '#gateway/control/status.js';

/** What a gateway does when its power goes; two of these at once are usual. */
export const moments = ['start', 'salvage', 'trim', 'evict', 'write'] as const;
export type Moment = (typeof moments)[number];

type Counted = Exclude<Moment, 'start' | 'salvage'>;

/** So long after it told of something, it is taken to be at it. */
const freshMs = 100;

/** Tells from what a gateway says of itself in one life what it is at. */
export class Witness {
  answers = 0;
  private readonly counts = new Map<Counted, number>();
  private readonly rises = new Map<Counted, { answer: number; ms: number; times: number }>();

  hear({ streams }: GatewayReport): void {
    this.answers++;
    const sum = (of: (stream: GatewayReport['streams'][number]) => number): number =>
      streams.reduce((total, stream) => total + of(stream), 0);
    // A batch that was given up leaves the buffer too.
    this.count(
      'trim',
      sum(({ next, batches, givenUp }) => next - batches - givenUp.batches),
    );
    this.count(
      'evict',
      sum(({ givenUp }) => givenUp.batches),
    );
    this.count(
      'write',
      sum(({ durableNext }) => durableNext),
    );
  }

  /** How often it told that it went on with this. */
  times(what: Counted): number {
    return this.rises.get(what)?.times ?? 0;
  }

  /** What it is at now; `log` is what it wrote in this life. */
  now(log: string): Moment[] {
    const isAt = (what: Counted): boolean => {
      const rise = this.rises.get(what);
      return (
        rise !== undefined && (rise.answer >= this.answers - 1 || performance.now() - rise.ms <= freshMs)
      );
    };
    return moments.filter((moment) => {
      if (moment === 'start') return this.answers === 0;
      if (moment === 'salvage') return saysSalvage.test(log) && !saysRescued.test(log);
      return isAt(moment);
    });
  }

  private count(what: Counted, value: number): void {
    const before = this.counts.get(what);
    this.counts.set(what, value);
    if (before === undefined || value <= before) return;
    this.rises.set(what, { answer: this.answers, ms: performance.now(), times: this.times(what) + 1 });
  }
}

export const saysSalvage = /database is damaged: moved aside/;
const saysRescued = /of a damaged buffer is rescued/;
