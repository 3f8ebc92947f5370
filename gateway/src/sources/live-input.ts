import { Signal, type Clock } from '@fleetlog/shared/util';

/** Bytes that come by themselves: a command's output, a serial line. */
export interface LiveInput {
  /** True where the input has ended and all of it was read. */
  readonly ended: boolean;
  /** Monotonic time at which what was read last had arrived. */
  readonly arrivalUs: number;
  /** What has come since, if anything. What isn't taken makes the sender wait, where it can. */
  read(): Uint8Array | null;
  /** Resolves at the next bytes, at the end, after `timeoutMs`, or when the signal aborts. */
  more(timeoutMs: number, signal: AbortSignal): Promise<void>;
}

/** A line on which one can answer. */
export interface TwoWayInput extends LiveInput {
  /** Resolves when the operating system has the bytes. */
  write(bytes: Uint8Array): Promise<void>;
}

/** Resolves at the next news, after `timeoutMs`, or when the signal aborts. */
export async function waitForNews(
  news: Signal,
  clock: Clock,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<void> {
  const done = new AbortController();
  const stop = signal ? AbortSignal.any([signal, done.signal]) : done.signal;
  const waits = [news.wait(stop)];
  if (timeoutMs !== Infinity) waits.push(clock.sleep(timeoutMs, stop));
  try {
    await Promise.race(waits).catch(() => undefined); // an abort: the caller looks at its signal
  } finally {
    done.abort();
    await Promise.allSettled(waits);
  }
}
