import { once } from 'node:events';
import { PassThrough, Writable, type Readable } from 'node:stream';
import { FleetlogError } from '@fleetlog/shared/errors';
import type { Clock } from '@fleetlog/shared/util';
import { openPort } from '../ports/port.js';
import { SlcanAdapter } from '../ports/slcan.js';
import { CanBus } from '../vehicle/can-bus.js';
import { VehicleBus } from '../vehicle/ecu/bus.js';
import { physicalKindOf } from '../vehicle/kinds.js';

const TICK_MS = 10;

interface SlcanOptions {
  seed: number;
  kind: string;
  /** For the vehicle without physics. */
  rate: number;
}

/** The same on a port, where `output` gets a line that says when it is there. Errors: those of ports. */
export async function speakSlcanOn(
  options: SlcanOptions & { to: string },
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
  options: SlcanOptions,
  input: Readable,
  output: Writable,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const startUs = clock.nowUs();
  const originUs = clock.monotonicUs();
  const physical = physicalKindOf(options.kind);
  const vehicleBus =
    physical && new VehicleBus(physical.create(options.seed), physical.network, { ...options, startUs });
  const bus = vehicleBus ?? new CanBus({ ...options, startUs });
  const adapter = new SlcanAdapter(
    vehicleBus && {
      onFrame: (id, extended, data) => vehicleBus.hear(id, extended, data, clock.monotonicUs() - originUs),
    },
  );
  const gone = new AbortController();
  const end = (): void => gone.abort();
  input.on('data', (bytes: Buffer) => output.write(adapter.take(bytes)));
  input.once('end', end);
  output.once('error', end);
  const until = AbortSignal.any([signal, gone.signal]);
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
