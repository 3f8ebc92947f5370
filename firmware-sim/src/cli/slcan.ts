import { once } from 'node:events';
import { PassThrough, Writable, type Readable } from 'node:stream';
import { FleetlogError } from '@fleetlog/shared/errors';
import type { Clock } from '@fleetlog/shared/util';
import { openPort } from '../ports/port.js';
import { SlcanAdapter } from '../ports/slcan.js';
import { CanBus } from '../vehicle/can-bus.js';

const TICK_MS = 10;

/** The same on a port, where `output` gets a line that says when it is there. Errors: those of ports. */
export async function speakSlcanOn(
  options: { seed: number; rate: number; to: string },
  output: Writable,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  await using port = await openPort(options.to);
  if (!port.onInput) {
    throw new FleetlogError(
      'FLEETLOG_USAGE',
      `An adapter needs a serial port: --to pty:PATH, not ${options.to}.`,
    );
  }
  const input = new PassThrough();
  port.onInput((bytes) => void input.write(bytes));
  const toPort = new Writable({
    write: (bytes: Buffer, _encoding, done) => {
      void port.write(bytes);
      done();
    },
  });
  output.write(`ready ${port.name}\n`);
  await speakSlcan(options, input, toPort, clock, signal);
}

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
