import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import type { Clock } from '@fleetlog/shared/util';
import { SlcanAdapter } from '../ports/slcan.js';
import { CanBus } from '../vehicle/can-bus.js';

const TICK_MS = 10;

/** `fleetlog-sim slcan`: an adapter on the vehicle's bus, whose serial line is `input` and `output`. */
export async function speakSlcan(
  options: { seed: number; rate: number },
  input: Readable,
  output: Writable,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const adapter = new SlcanAdapter();
  const startUs = clock.nowUs();
  const bus = new CanBus({ ...options, startUs });
  const gone = new AbortController();
  const end = (): void => gone.abort();
  input.on('data', (bytes: Buffer) => output.write(adapter.take(bytes)));
  input.once('end', end);
  output.once('error', end);
  const until = AbortSignal.any([signal, gone.signal]);
  const originUs = clock.monotonicUs();
  try {
    for (;;) {
      const elapsedUs = clock.monotonicUs() - originUs;
      for (let text = bus.next(elapsedUs); text.length > 0; text = bus.next(elapsedUs)) {
        const heard = adapter.hear(Buffer.from(text).toString('latin1'));
        if (heard !== '' && !output.write(heard)) await once(output, 'drain', { signal: until });
      }
      await clock.sleep(TICK_MS, until);
    }
  } catch (error) {
    if (!until.aborted) throw error;
  } finally {
    input.destroy();
  }
}
