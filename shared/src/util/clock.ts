import { readFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';

/** Time as the product sees it, so that a test can hold it. */
export interface Clock {
  /** Wall clock: integer microseconds since the Unix epoch; may jump. */
  nowUs(): number;
  /** Monotonic clock: integer microseconds since an unknown moment of this boot; never jumps. */
  monotonicUs(): number;
  /** Resolves after `ms`, or rejects with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  nowUs: () => Math.round((performance.timeOrigin + performance.now()) * 1000) + wallStepUs(),
  monotonicUs: () => Number(process.hrtime.bigint() / 1000n),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', stop);
        resolve();
      }, ms);
      const stop = (): void => {
        clearTimeout(timer);
        reject(signal?.reason as Error);
      };
      signal?.addEventListener('abort', stop, { once: true });
    }),
};

/** `performance` has µs but doesn't follow steps of the wall clock; `Date` follows but has only ms. */
function wallStepUs(): number {
  const differenceMs = Date.now() - (performance.timeOrigin + performance.now());
  return Math.abs(differenceMs) > 2 ? Math.round(differenceMs * 1000) : 0;
}

/** Identifies one life of the monotonic clock: 16 hex digits of the kernel's boot id. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').replaceAll('-', '').slice(0, 16);
  } catch {
    return processBootId; // no Linux: one life of the process stands for one of the clock
  }
}
const processBootId = randomBytes(8).toString('hex');

/** Identifies one life of a buffer: 16 random hex digits. */
export function newEpoch(): string {
  return randomBytes(8).toString('hex');
}
