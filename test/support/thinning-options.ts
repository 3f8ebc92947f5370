import type { BufferOptions } from '#gateway/buffer/buffer-options.js';
import { bufferOptions } from './buffer-options.js';
import { spaceOptions } from './space-options.js';

/** A buffer of 4 MiB that thins what is named; by default `can0`, to each tenth. */
export const thinningOptions = (
  path: string,
  policies: Parameters<typeof spaceOptions>[0] = { can0: { keepEachNth: 10 } },
): BufferOptions => bufferOptions(path, spaceOptions(policies, { limitBytes: 4 * 1024 * 1024 }));
