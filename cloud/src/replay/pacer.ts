import { Signal, type Clock } from '@fleetlog/shared/util';
import { PacingError } from './pacing-error.js';

/** What is due so soon goes now: a timer couldn't be more exact. */
const closeUs = 300;

/**
 * Says when a record is due: its distance in event time from the first one, divided by the speed, after that one. Every
 * record counts from the same start, so that errors don't add up: what was late is caught up with.
 */
export class Pacer {
  readonly error = new PacingError();
  private startUs: number | undefined;
  private startEventUs = 0;
  private pausedUs: number | undefined;
  private readonly changed = new Signal();

  /** `speed`: Infinity for as fast as it goes. */
  constructor(
    private readonly clock: Clock,
    private readonly speed: number,
  ) {}

  get isPaused(): boolean {
    return this.pausedUs !== undefined;
  }

  pause(): void {
    this.pausedUs ??= this.clock.monotonicUs();
  }

  resume(): void {
    if (this.pausedUs === undefined) return;
    if (this.startUs !== undefined) this.startUs += this.clock.monotonicUs() - this.pausedUs;
    this.pausedUs = undefined;
    this.changed.set();
  }

  /** The next record begins a new count: after a seek, or another round. */
  restart(): void {
    this.startUs = undefined;
  }

  /** Resolves when the record is due; undefined where it is already, so that nobody has to wait for a promise. */
  due(eventUs: number, signal: AbortSignal): Promise<void> | undefined {
    if (this.startUs === undefined) {
      this.startUs = this.clock.monotonicUs();
      this.startEventUs = eventUs;
      if (this.isPaused) this.pausedUs = this.startUs; // what was paused before it doesn't delay it
    }
    if (!this.isPaused && this.leftUs(eventUs) <= closeUs) return undefined;
    return this.wait(eventUs, signal);
  }

  /** The record goes now. */
  sent(eventUs: number): void {
    if (this.speed !== Infinity) this.error.add(this.leftUs(eventUs));
  }

  private async wait(eventUs: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.isPaused) {
        await this.changed.wait(signal).catch(() => undefined); // the loop looks at the signal
        continue;
      }
      const leftUs = this.leftUs(eventUs);
      if (leftUs <= closeUs) return;
      // In short sleeps, so that a pause is heard.
      const sleepMs = Math.min(100, Math.max(1, Math.floor(leftUs / 1000)));
      await this.clock.sleep(sleepMs, signal).catch(() => undefined); // the loop looks at the signal
    }
  }

  private leftUs(eventUs: number): number {
    if (this.startUs === undefined || this.speed === Infinity) return 0;
    return this.startUs + (eventUs - this.startEventUs) / this.speed - this.clock.monotonicUs();
  }
}
