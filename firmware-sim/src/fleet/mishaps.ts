import type { Clock } from '@fleetlog/shared/util';
import type { FaultName } from '../scenario/schema.js';
import { happeningText, type Happening } from './timeline.js';

/** Does what a happening says; off before it has begun is no error. */
export type Mishap = (happening: Happening) => void | Promise<void>;

/**
 * Lets a timeline happen, `speed` times as fast as it says, from now on until its end or until the signal aborts. What
 * has several reasons at one time is over with the last of them.
 */
export async function letHappen(
  timeline: readonly Happening[],
  speed: number,
  mishaps: Readonly<Partial<Record<FaultName, Mishap>>>,
  { clock, say }: { clock: Clock; say: (text: string) => void },
  signal: AbortSignal,
): Promise<void> {
  const beganUs = clock.monotonicUs();
  const reasons = new Map<string, number>();
  for (const happening of timeline) {
    const waitUs = happening.atUs / speed - (clock.monotonicUs() - beganUs);
    if (waitUs > 0) await clock.sleep(waitUs / 1000, signal);
    signal.throwIfAborted();
    const { what, isUp, gateway } = happening;
    say(happeningText(happening));
    const place = `${what}/${gateway}`;
    const left = (reasons.get(place) ?? 0) + (isUp ? -1 : 1);
    reasons.set(place, left);
    if (isUp ? left === 0 : left === 1) await mishaps[what]?.(happening);
  }
}
