import type { ClockState } from '@fleetlog/shared/batch';
import type { Timeline } from './timeline.js';

/** Which event times an answer has: as the records were stamped, or as the boot's clock is known now. */
export const timesNames = ['corrected', 'original'] as const;
export type TimesName = (typeof timesNames)[number];

/** Columns whose times can be written over. */
interface StampedColumns {
  readonly count: number;
  baseTimeUs: number;
  readonly timeOffsetUs: ArrayLike<number>;
}

/** Corrects the times of records that were stamped with one offset of one boot's clock. */
export class TimeCorrection {
  constructor(
    private readonly timeline: Timeline,
    private readonly wallOffsetUs: number,
  ) {}

  get state(): ClockState {
    return this.timeline.state;
  }

  correctedUs(timeUs: number): number {
    return this.timeline.correctedUs(timeUs - this.wallOffsetUs);
  }

  /** An original time that becomes this one, or one a µs or two beside it. */
  originalUs(correctedUs: number): number {
    return this.timeline.monotonicUs(correctedUs) + this.wallOffsetUs;
  }

  /** What decides how original times between these are corrected: different numbers where that differs. */
  shapeBetween(fromUs: number, toUs: number): number[] {
    const { wallOffsetUs } = this;
    return [wallOffsetUs, ...this.timeline.shapeBetween(fromUs - wallOffsetUs, toUs - wallOffsetUs)];
  }

  /** Writes corrected times over the columns of one batch; `firstTimeUs` and `lastTimeUs` are its original bounds. */
  apply(columns: StampedColumns, firstTimeUs: number, lastTimeUs: number): void {
    const { wallOffsetUs } = this;
    const offsetUs = this.timeline.constantBetween(firstTimeUs - wallOffsetUs, lastTimeUs - wallOffsetUs);
    const { baseTimeUs } = columns;
    if (offsetUs !== undefined) {
      columns.baseTimeUs = baseTimeUs + Math.round(offsetUs - wallOffsetUs);
      return;
    }
    const correctedBaseUs = this.correctedUs(baseTimeUs);
    const offsets = columns.timeOffsetUs as { [index: number]: number };
    for (let i = 0; i < columns.count; i++) {
      offsets[i] = this.correctedUs(baseTimeUs + offsets[i]) - correctedBaseUs;
    }
    columns.baseTimeUs = correctedBaseUs;
  }
}
