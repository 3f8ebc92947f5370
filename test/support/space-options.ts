import type { BufferOptions } from '#gateway/buffer/buffer-options.js';
import type { StreamPolicy } from '#gateway/buffer/space/limits.js';

const MiB = 1024 * 1024;

/** Limits for a small buffer on a large disk. Streams not named have priority 5 and drop the oldest. */
export function spaceOptions(
  policies: Record<string, Partial<StreamPolicy>> = {},
  { limitBytes = 16 * MiB, freeBytesMin = 0, freeBytes = () => 1e12 } = {},
): Pick<BufferOptions, 'space' | 'writeBufferBytes' | 'commitBytes' | 'queueBytes'> {
  return {
    writeBufferBytes: MiB / 2,
    commitBytes: MiB / 4,
    queueBytes: MiB / 2,
    space: {
      limits: { bytes: limitBytes, freeBytesMin, ballastBytes: 0 },
      policyOf: (stream) => ({ priority: 5, whenFull: 'drop', maxAgeMs: undefined, ...policies[stream] }),
      disk: { freeBytes: async () => freeBytes() },
    },
  };
}
