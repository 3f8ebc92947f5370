import type { Clock } from '@fleetlog/shared/util';

/** A difference above this is a step of the wall clock, below it its discipline. */
const STEP_US = 50_000;
/** Part of the difference that each look takes over, so that discipline leaves samples evenly spaced. */
const SHARE = 64;

/** Wall times of monotonic ones, which stay evenly spaced while the wall clock is disciplined, and follow its steps. */
export class WallClock {
  private offsetUs = NaN;

  constructor(private readonly clock: Clock) {}

  /** Compares both clocks; to be called every now and then. */
  look(): void {
    const offsetUs = this.clock.nowUs() - this.clock.monotonicUs();
    const differenceUs = offsetUs - this.offsetUs;
    if (Math.abs(differenceUs) <= STEP_US) this.offsetUs += differenceUs / SHARE;
    else this.offsetUs = offsetUs;
  }

  timeOf(monotonicUs: number): number {
    if (Number.isNaN(this.offsetUs)) this.look();
    return Math.round(monotonicUs + this.offsetUs);
  }
}
