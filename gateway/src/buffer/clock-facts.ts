import type { BatchClock } from '@fleetlog/shared/batch';
import { bootId, type Clock } from '@fleetlog/shared/util';

/** What is known of this machine's clocks at the moment that a batch is stored. */
export interface ClockFacts {
  /** One life of the monotonic clock: 16 hex digits. */
  readonly boot: string;
  read(): BatchClock;
}

/** Before this the wall clock can't have been set: Fleetlog is younger. */
const plausibleUs = Date.UTC(2024, 0, 1) * 1000;

/** Knows whether the wall clock was ever set, not how well: nothing here asks the kernel or a GPS receiver. */
export function systemClockFacts(clock: Clock): ClockFacts {
  return {
    boot: bootId(),
    read() {
      const nowUs = clock.nowUs();
      return {
        wallOffsetUs: nowUs - clock.monotonicUs(),
        state: nowUs < plausibleUs ? 'unset' : 'coarse',
        uncertaintyUs: -1,
      };
    },
  };
}
