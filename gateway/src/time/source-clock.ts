import type { BatchClock } from '@fleetlog/shared/batch';
import type { Clock } from '@fleetlog/shared/util';
import type { TimeKeeper } from './time-keeper.js';

/**
 * Which clock a live source's times are of: the gateway's, which stamps what has no time of its own, or the system's
 * wall clock, with which another program has stamped what it passes on.
 */
export type ClockBasis = 'gateway' | 'system';

/** An event time so far from now wasn't read off the clock now: a program that plays a recording. */
const stampedUsMax = 600e6;

/** The clock of one live source. Its offset is constant within a batch: `renew` between batches takes over a new one. */
export class SourceClock {
  private offsetUs: number;
  private known: BatchClock;

  constructor(
    private readonly clock: Clock,
    private readonly keeper: TimeKeeper,
    private readonly basis: ClockBasis,
  ) {
    this.offsetUs = this.keptOffsetUs;
    this.known = keeper.readingOf(this.offsetUs);
  }

  nowUs(): number {
    return this.clock.monotonicUs() + this.offsetUs;
  }

  /** Event time of what happened at a monotonic time. */
  timeOf(monotonicUs: number): number {
    return Math.round(monotonicUs + this.offsetUs);
  }

  /** True where the offset isn't the one in force any more: the batch has to be sealed, then `renew`. */
  get changed(): boolean {
    if (this.keptOffsetUs !== this.offsetUs) return true;
    this.known = this.keeper.readingOf(this.offsetUs);
    return false;
  }

  renew(): void {
    this.offsetUs = this.keptOffsetUs;
    this.known = this.keeper.readingOf(this.offsetUs);
  }

  /** For the header of a batch that ends at this time; undefined where its times aren't this clock's. */
  ofBatch({ lastTimeUs }: { lastTimeUs: number }): BatchClock | undefined {
    if (this.basis === 'system' && Math.abs(this.nowUs() - lastTimeUs) > stampedUsMax) return undefined;
    return { ...this.known, stamped: true };
  }

  private get keptOffsetUs(): number {
    return this.basis === 'gateway' ? this.keeper.offsetUs : this.keeper.systemOffsetUs;
  }
}
