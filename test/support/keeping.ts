import { silentLogger } from '@fleetlog/shared/log';
import { systemClock, type Clock } from '@fleetlog/shared/util';
import type { Index } from '#cloud/index/index.js';
import type { Log } from '#cloud/log/log.js';
import { Retention } from '#cloud/retention/retention.js';
import type { RetentionRule } from '#cloud/retention/rules.js';
import { DiskGuard } from '#cloud/storage/disk-guard.js';

interface Keeping extends AsyncDisposable {
  retention: Retention;
  disk: DiskGuard;
}

/** What a cloud has to look after its disk: retention that is applied when the test says so, and no floor. */
export async function keeping(
  log: Log,
  index: Index,
  options: { rules?: RetentionRule[]; clock?: Clock; folder?: string } = {},
): Promise<Keeping> {
  const { rules = [], clock = systemClock, folder = '/' } = options;
  const parts = { clock, logger: silentLogger };
  const retention = await Retention.open({ ...parts, log, index, rules, everyMs: 1000 });
  const disk = await DiskGuard.open({ ...parts, clock: systemClock, folder, minFreeBytes: 0 });
  return {
    retention,
    disk,
    [Symbol.asyncDispose]: async () => {
      await retention[Symbol.asyncDispose]();
      await disk[Symbol.asyncDispose]();
    },
  };
}
