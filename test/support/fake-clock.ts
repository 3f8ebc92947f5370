import type { Clock } from '@fleetlog/shared/util';

/**
 * A clock that stands still but for sleeps: whoever sleeps wakes in the next turn of the event loop, and the clock has
 * moved on by what they slept. For code with one sleeper at a time.
 */
export class FakeClock implements Clock {
  /** What was slept, ms, in order. */
  readonly sleepsMs: number[] = [];
  /** A sleep of this or more doesn't end by itself; it ends when its signal aborts. */
  endlessMs = Infinity;
  /** Called as each sleep begins. */
  onSleep: (ms: number) => void = () => {};
  private passedUs = 0;

  constructor(
    private readonly wallUs = 1_790_000_000_000_000,
    private readonly bootUs = 5_000_000,
  ) {}

  nowUs(): number {
    return this.wallUs + this.passedUs;
  }

  monotonicUs(): number {
    return this.bootUs + this.passedUs;
  }

  advance(ms: number): void {
    this.passedUs += Math.round(ms * 1000);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.sleepsMs.push(ms);
    return new Promise((resolve, reject) => {
      const abort = (): void => reject(signal?.reason as Error);
      if (signal?.aborted) return abort();
      signal?.addEventListener('abort', abort, { once: true });
      this.onSleep(ms);
      if (ms >= this.endlessMs) return;
      setImmediate(() => {
        signal?.removeEventListener('abort', abort);
        this.advance(ms);
        resolve();
      });
    });
  }
}
