import type { Clock } from '@fleetlog/shared/util';
import type { LinkProxy } from './link-proxy.js';
import { happeningText, type Happening } from './timeline.js';

/** What can go wrong, and how. */
export interface Victims {
  links: ReadonlyMap<string, LinkProxy>;
  /** Off and on again, by gateway; the empty name is the cloud. Off before it has begun is no error. */
  power: (gateway: string, isUp: boolean) => void | Promise<void>;
}

/** Lets a timeline happen, `speed` times as fast as it says, from now on until its end or until the signal aborts. */
export async function letHappen(
  timeline: readonly Happening[],
  speed: number,
  victims: Victims,
  { clock, say }: { clock: Clock; say: (text: string) => void },
  signal: AbortSignal,
): Promise<void> {
  const beganUs = clock.monotonicUs();
  const linksDown = new Map<string, number>();
  for (const happening of timeline) {
    const waitUs = happening.atUs / speed - (clock.monotonicUs() - beganUs);
    if (waitUs > 0) await clock.sleep(waitUs / 1000, signal);
    signal.throwIfAborted();
    const { what, isUp, gateway } = happening;
    say(happeningText(happening));
    if (what !== 'link') {
      await victims.power(what === 'cloud' ? '' : gateway, isUp);
      continue;
    }
    const reasons = (linksDown.get(gateway) ?? 0) + (isUp ? -1 : 1);
    linksDown.set(gateway, reasons);
    if (!isUp && reasons === 1) victims.links.get(gateway)?.freeze();
    else if (isUp && reasons === 0) victims.links.get(gateway)?.thaw();
  }
}
