import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { FleetlogError, systemCode } from '@fleetlog/shared/errors';
import type { Clock } from '@fleetlog/shared/util';
import { CanBus } from '../vehicle/can-bus.js';
import { GpsReceiver } from '../vehicle/gps.js';
import { Imu } from '../vehicle/imu.js';
import { UbloxReceiver } from '../vehicle/ublox.js';
import { openPort } from '../ports/port.js';
import type { SpokenFormat } from './values.js';

export interface StreamOptions {
  seed: number;
  format: SpokenFormat;
  interfaceName: string;
  rate: number;
  fixRateHz: number;
  sensorRateHz: number;
  /** A port in the place of the output. */
  to?: string;
}

/** How often text is written: coarse, because a wake-up costs more than the twenty frames that it brings. */
const TICK_MS = 10;
/** A frame begins at most this long before its time stamp: frames are written when they have ended. */
const FRAME_US = 1000;

/**
 * `fleetlog-sim stream`: what the vehicle says, in real time, until the signal aborts or nobody reads any more. A
 * reader who is slow gets everything later: the text carries the times at which it was said. With a port, `output` only
 * gets a line that says when it is there.
 */
export async function streamVehicle(
  options: StreamOptions,
  output: Writable,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  checkPort(options);
  const startUs = clock.nowUs();
  const next = speaker(options, startUs);
  await using port = options.to === undefined ? undefined : await openPort(options.to);
  if (port) output.write(`ready ${port.name}\n`);
  const gone = new AbortController();
  output.on('error', (error) => gone.abort(error));
  const until = AbortSignal.any([signal, gone.signal]);
  const originUs = clock.monotonicUs();
  try {
    for (;;) {
      const elapsedUs = clock.monotonicUs() - originUs - FRAME_US;
      for (let text = next(elapsedUs); text.length > 0; text = next(elapsedUs)) {
        if (port) await port.write(text);
        else if (!output.write(text)) await once(output, 'drain', { signal: until });
      }
      await clock.sleep(TICK_MS, until);
    }
  } catch (error) {
    if (!until.aborted) throw error;
    if (gone.signal.aborted && systemCode(gone.signal.reason) !== 'EPIPE') throw gone.signal.reason;
  }
}

/** What goes with what. Errors: FLEETLOG_USAGE. */
function checkPort({ to = '', format }: StreamOptions): void {
  const wanted = to.startsWith('can:') ? 'candump' : to.startsWith('gpsd:') ? 'nmea' : format;
  if (format === wanted) return;
  throw new FleetlogError('FLEETLOG_USAGE', `--to ${to} needs --format ${wanted}, not ${format}.`);
}

function speaker(options: StreamOptions, startUs: number): (elapsedUs: number) => Uint8Array | string {
  if (options.format === 'candump') {
    const bus = new CanBus({ ...options, startUs });
    return (elapsedUs) => bus.next(elapsedUs);
  }
  if (options.format === 'imu') {
    const imu = new Imu({ seed: options.seed, rateHz: options.sensorRateHz });
    return (elapsedUs) => imu.next(elapsedUs);
  }
  if (options.format === 'ubx') {
    const ublox = new UbloxReceiver({ ...options, startUs });
    return (elapsedUs) => ublox.next(elapsedUs);
  }
  const receiver = new GpsReceiver({ ...options, startUs });
  return (elapsedUs) => receiver.next(elapsedUs);
}
