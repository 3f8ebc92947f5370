// A process to be killed: puts CAN batches into the small buffer in argv[2] as fast as it can, so that it thins and
// gives up all the time, and prints how many are durable and how many were thinned.
import { encodeCan } from '@fleetlog/shared/can';
import { openBuffer } from '#gateway/buffer/open-buffer.js';
import { generateNoise } from './generate-frames.js';
import { thinningOptions } from './thinning-options.js';

const buffer = await openBuffer(thinningOptions(process.argv[2]));
const never = new AbortController().signal;
const payload = encodeCan(generateNoise(7, 600, 20));

async function report(): Promise<never> {
  for (;;) {
    await buffer.moreDurable(never);
    for (const { durableNext, thinned } of buffer.streams()) {
      process.stdout.write(`${durableNext} ${thinned.batches}\n`);
    }
  }
}

async function put(): Promise<never> {
  for (;;) await buffer.put('can0', { payload, origin: 'live' });
}

await Promise.all([report(), put()]);
