import { silentLogger } from '@fleetlog/shared/log';
import { systemClock } from '@fleetlog/shared/util';
import { systemClockFacts } from '#gateway/buffer/clock-facts.js';
import type { BufferOptions } from '#gateway/buffer/buffer-options.js';

/** Options of a gateway's buffer in `path`, quick enough for tests. */
export function bufferOptions(path: string, changes: Partial<BufferOptions> = {}): BufferOptions {
  return {
    gateway: 'truck-1',
    path,
    commitIntervalMs: 5,
    commitBytes: 1024 * 1024,
    queueBytes: 4 * 1024 * 1024,
    writeBufferBytes: 1024 * 1024,
    clock: systemClock,
    clockFacts: systemClockFacts(systemClock),
    logger: silentLogger,
    ...changes,
  };
}
