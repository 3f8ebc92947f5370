import { silentLogger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';
import { TimeKeeper, type TimeKeeperParts } from '#gateway/time/time-keeper.js';

/** A gateway's knowledge of the time that nothing but this clock feeds. */
export const keeperOn = (clock: Clock, changes: Partial<TimeKeeperParts> = {}): TimeKeeper =>
  new TimeKeeper({
    clock,
    boot: '8899aabbccddeeff',
    kernel: { lastSyncUs: () => undefined },
    logger: silentLogger,
    ...changes,
  });
