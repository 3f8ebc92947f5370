import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { systemCode } from '@fleetlog/shared/errors';
import type { Clock } from '@fleetlog/shared/util';
import { CanBus } from '../vehicle/can-bus.js';
import { GpsReceiver } from '../vehicle/gps.js';
import { Imu } from '../vehicle/imu.js';
import { UbloxReceiver } from '../vehicle/ublox.js';
import type { SpokenFormat } from './values.js';

export interface StreamOptions {
  seed: number;
  format: SpokenFormat;
  interfaceName: string;
  rate: number;
  fixRateHz: number;
  sensorRateHz: number;
}

/** How often text is written: coarse, because a wake-up costs more than the twenty frames that it brings. */
const TICK_MS = 10;
/** A frame begins at most this long before its time stamp: frames are written when they have ended. */
const FRAME_US = 1000;

/**
 * `fleetlog-sim stream`: what the vehicle says, in real time, until the signal aborts or nobody reads any more. A
 * reader who is slow gets everything later: the text carries the times at which it was said.
 */
export async function streamVehicle(
  options: StreamOptions,
  output: Writable,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const startUs = clock.nowUs();
  const next = speaker(options, startUs);
  const gone = new AbortController();
  output.on('error', (error) => gone.abort(error));
  const until = AbortSignal.any([signal, gone.signal]);
  const originUs = clock.monotonicUs();
  try {
    for (;;) {
      const elapsedUs = clock.monotonicUs() - originUs - FRAME_US;
      for (let text = next(elapsedUs); text.length > 0; text = next(elapsedUs)) {
        if (!output.write(text)) await once(output, 'drain', { signal: until });
      }
      await clock.sleep(TICK_MS, until);
    }
  } catch (error) {
    if (!until.aborted) throw error;
    if (gone.signal.aborted && systemCode(gone.signal.reason) !== 'EPIPE') throw gone.signal.reason;
  }
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
