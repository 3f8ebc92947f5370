import { cycles } from './cycles.js';
import { SpeedProfile, type DrivingStyle } from './speed-profile.js';

/** How somebody drives, where it isn't as vehicles of the kind do: only in towns, or a published cycle again and again. */
export const drivings = ['town', 'wltc', 'udds'] as const;
export type Driving = (typeof drivings)[number];

/** What a driver wants, as a function of time. */
export interface WantedSpeed {
  /** m/s, at the time of the last `advance`. */
  readonly target: number;
  /** m/s², wanted at that time. */
  readonly rate: number;
  /** How much longer the vehicle is to stand, s; 0 where it isn't. */
  readonly standsForS: number;
  advance(dtS: number): void;
}

export function wantedSpeed(seed: number, style: DrivingStyle, driving: Driving | undefined): WantedSpeed {
  if (driving === undefined) return new SpeedProfile(seed, style);
  if (driving === 'town') return new SpeedProfile(seed, { ...style, urban: 1, rural: 0 });
  return new CycleProfile(cycles[driving]);
}

/** Cycles are driven on a dynamometer, which has no hills. */
export const isFlat = (driving: Driving | undefined): boolean => driving !== undefined && driving !== 'town';

/** A published cycle: straight lines between its seconds; behind its end it begins again. */
class CycleProfile implements WantedSpeed {
  target = 0;
  rate = 0;
  private timeS = 0;

  constructor(private readonly speeds: Float64Array) {}

  get standsForS(): number {
    if (this.target > 0) return 0;
    const { speeds } = this;
    let second = Math.floor(this.timeS);
    while (second + 1 < speeds.length && speeds[second + 1] === 0) second++;
    return Math.max(0, second - this.timeS);
  }

  advance(dtS: number): void {
    const { speeds } = this;
    const lastS = speeds.length - 1;
    this.timeS += dtS;
    if (this.timeS >= lastS) this.timeS -= lastS;
    const second = Math.floor(this.timeS);
    this.rate = speeds[second + 1] - speeds[second];
    this.target = speeds[second] + this.rate * (this.timeS - second);
  }
}
