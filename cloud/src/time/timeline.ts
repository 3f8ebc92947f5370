import type { ClockPoint, ClockState } from '@fleetlog/shared/batch';

/** How event times of one boot are corrected: true wall time = monotonic + offset, the offset piecewise linear. */
export class Timeline {
  /** Knots, ascending in time. */
  private readonly atUs: Float64Array;
  private readonly offsetUs: Float64Array;
  private readonly uncertaintyUs: Float64Array;

  /** `points` ascend in time and contradict each other by no more than a clock can drift; there is at least one. */
  constructor(
    points: readonly Pick<ClockPoint, 'monotonicUs' | 'wallOffsetUs' | 'uncertaintyUs'>[],
    /** `unset` where nobody ever told this boot the time. */
    readonly state: ClockState,
  ) {
    this.atUs = Float64Array.from(points, (point) => point.monotonicUs);
    this.offsetUs = Float64Array.from(points, (point) => point.wallOffsetUs);
    this.uncertaintyUs = Float64Array.from(points, (point) => point.uncertaintyUs);
  }

  /** Never steps back while the monotonic time doesn't. */
  correctedUs(monotonicUs: number): number {
    return Math.round(monotonicUs + this.offsetAt(monotonicUs));
  }

  /** A monotonic time at which, or a µs or two from which, the corrected time is this. */
  monotonicUs(correctedUs: number): number {
    const { atUs, offsetUs } = this;
    let low = 0;
    let high = atUs.length; // first knot whose corrected time is after it
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (atUs[middle] + offsetUs[middle] <= correctedUs) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return Math.round(correctedUs - offsetUs[0]);
    if (low === atUs.length) return Math.round(correctedUs - offsetUs[low - 1]);
    const fromUs = atUs[low - 1] + offsetUs[low - 1];
    const share = (correctedUs - fromUs) / (atUs[low] + offsetUs[low] - fromUs);
    return Math.round(atUs[low - 1] + share * (atUs[low] - atUs[low - 1]));
  }

  /** What decides how times between these are corrected: different numbers where that differs. */
  shapeBetween(fromUs: number, toUs: number): number[] {
    const shape = [this.correctedUs(fromUs), this.correctedUs(toUs)];
    for (let i = 0; i < this.atUs.length; i++) {
      if (this.atUs[i] > fromUs && this.atUs[i] < toUs)
        shape.push(this.atUs[i], Math.round(this.offsetUs[i]));
    }
    return shape;
  }

  /** Upper bound of the error at this time: grows with the distance to what is known; -1 where nobody knows. */
  uncertaintyAt(monotonicUs: number): number {
    if (this.state === 'unset') return -1;
    let least = Infinity;
    for (let i = 0; i < this.atUs.length; i++) {
      if (this.uncertaintyUs[i] < 0) continue;
      const driftUs = (Math.abs(monotonicUs - this.atUs[i]) * DRIFT_PPM) / 1e6;
      least = Math.min(least, this.uncertaintyUs[i] + driftUs);
    }
    return least === Infinity ? -1 : Math.round(least);
  }

  /** The whole correction where it is the same everywhere between these times, else undefined. */
  constantBetween(fromUs: number, toUs: number): number | undefined {
    const { atUs, offsetUs } = this;
    const last = atUs.length - 1;
    if (last === 0 || toUs <= atUs[0]) return offsetUs[0];
    if (fromUs >= atUs[last]) return offsetUs[last];
    return undefined;
  }

  private offsetAt(monotonicUs: number): number {
    const { atUs, offsetUs } = this;
    const last = atUs.length - 1;
    if (monotonicUs <= atUs[0]) return offsetUs[0];
    if (monotonicUs >= atUs[last]) return offsetUs[last];
    let low = 0;
    let high = last; // atUs[low] <= monotonicUs < atUs[high]
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (atUs[middle] <= monotonicUs) low = middle;
      else high = middle;
    }
    const share = (monotonicUs - atUs[low]) / (atUs[high] - atUs[low]);
    return offsetUs[low] + share * (offsetUs[high] - offsetUs[low]);
  }
}

/** How fast a crystal may drift, for bounds: three times what a bad one does. */
const DRIFT_PPM = 100;
