import type { IgnitionPeriod } from './firmware.js';
import type { Motion } from './gps-fixes.js';

const STEP_US = 10_000;

/**
 * A vehicle with a key: it drives while that is on, and goes on where it stood. Nobody turns the key off at speed, so
 * that waits until the vehicle stands; where the next period comes before, the key stays on.
 */
export class Ignition implements Motion {
  /** When the key was turned last, µs since the start. */
  turnedUs = 0;
  private isKeyOn: boolean;
  private stepsDone = 0;
  private drivenUs = 0;
  private period = 0;

  constructor(
    private readonly vehicle: Motion,
    private readonly periods: readonly IgnitionPeriod[],
  ) {
    this.isKeyOn = periods[0].onUs === 0;
  }

  get isOn(): boolean {
    return this.isKeyOn;
  }
  get eastM(): number {
    return this.vehicle.eastM;
  }
  get northM(): number {
    return this.vehicle.northM;
  }
  get heading(): number {
    return this.vehicle.heading;
  }
  get speedMps(): number {
    return this.vehicle.speedMps;
  }
  get tunnel(): boolean {
    return this.vehicle.tunnel;
  }
  get placeM(): number {
    return this.vehicle.placeM ?? 0;
  }

  /** Goes on to `elapsedUs` after the start; never back. */
  advanceTo(elapsedUs: number): void {
    const steps = Math.floor(elapsedUs / STEP_US);
    while (this.stepsDone < steps) this.step(++this.stepsDone * STEP_US);
  }

  private step(nowUs: number): void {
    const { vehicle, periods } = this;
    while (this.period + 1 < periods.length && nowUs >= periods[this.period + 1].onUs) this.period++;
    const { onUs, offUs = Infinity } = periods[this.period];
    if (this.isKeyOn) {
      this.drivenUs += STEP_US;
      vehicle.advanceTo(this.drivenUs);
      if (nowUs >= offUs && vehicle.speedMps === 0) this.turn(nowUs);
    } else if (nowUs >= onUs && nowUs < offUs) {
      this.turn(nowUs);
    }
  }

  private turn(nowUs: number): void {
    this.isKeyOn = !this.isKeyOn;
    this.turnedUs = nowUs;
  }
}
