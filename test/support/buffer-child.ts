// A process to be killed: puts batches into the buffer in argv[2] as fast as it can, and prints what it was told is
// durable: `stream durableNext`, one pair a line.
import { openBuffer } from '#gateway/buffer/open-buffer.js';
import { bufferOptions } from './buffer-options.js';
import { sealedBatch } from './sealed-batches.js';

const buffer = await openBuffer(bufferOptions(process.argv[2]));
const never = new AbortController().signal;

async function report(): Promise<never> {
  for (;;) {
    await buffer.moreDurable(never);
    for (const { stream, durableNext } of buffer.streams())
      process.stdout.write(`${stream} ${durableNext}\n`);
  }
}

async function put(stream: string): Promise<never> {
  for (let i = buffer.streams().find((s) => s.stream === stream)?.next ?? 0; ; i++) {
    await buffer.put(stream, sealedBatch(`${stream}-${i}`, { bytes: 2000, position: `behind ${i}` }));
    if (i % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

await Promise.all([report(), put('can0'), put('gps')]);
