import type { Clock } from '@fleetlog/shared/util';

/** Records are released in ticks of at least this, so that a fast bus costs few wake-ups. */
export const TICK_MS = 40;
const SLEEP_MS_MAX = 3_600_000;

/** Event time of a recording against the monotonic clock: what is due when. */
export class Pacer {
  private eventUs = 0;
  private monotonicUs = 0;

  /** `factor` of 1 is the recording's own pace, Infinity none at all. */
  constructor(
    private readonly clock: Clock,
    private readonly factor: number,
  ) {}

  /** This event time is due now, later ones at the pace. */
  start(eventUs: number): void {
    this.eventUs = eventUs;
    this.monotonicUs = this.clock.monotonicUs();
  }

  /** Latest event time that is due. */
  dueUs(): number {
    if (this.factor === Infinity) return Infinity;
    return this.eventUs + (this.clock.monotonicUs() - this.monotonicUs) * this.factor;
  }

  /** How long to wait until this event time is due: at least one tick, at most an hour (then ask again). */
  waitMs(eventUs: number): number {
    const waitMs = (eventUs - this.dueUs()) / this.factor / 1000;
    return Math.min(Math.max(TICK_MS, Math.ceil(waitMs)), SLEEP_MS_MAX);
  }
}
