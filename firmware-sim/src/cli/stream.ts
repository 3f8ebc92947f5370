import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { FleetlogError, systemCode } from '@fleetlog/shared/errors';
import type { Clock } from '@fleetlog/shared/util';
import { CanBus } from '../vehicle/can-bus.js';
import { GpsReceiver } from '../vehicle/gps.js';
import { Imu } from '../vehicle/imu.js';
import { VehicleBus } from '../vehicle/ecu/bus.js';
import type { Firmware } from '../vehicle/firmware.js';
import { physicalKindOf } from '../vehicle/kinds.js';
import { checkSetup } from './setup.js';
import { inEachLap, type Stretch } from '../vehicle/stretches.js';
import { UbloxReceiver } from '../vehicle/ublox.js';
import type { Driving } from '../vehicle/physics/driving.js';
import type { FailingPart } from '../vehicle/physics/failing.js';
import { openPort } from '../ports/port.js';
import type { SpokenFormat } from './values.js';

export interface StreamOptions {
  seed: number;
  kind: string;
  /** Without satellites; for kinds with physics. */
  tunnels: readonly Stretch[];
  /** After so many metres the tunnels come again; once where absent. */
  lapM?: number | undefined;
  firmware: Firmware | undefined;
  format: SpokenFormat;
  interfaceName: string;
  rate: number;
  fixRateHz: number;
  sensorRateHz: number;
  failing?: FailingPart;
  driving?: Driving;
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
  checkKind(options);
  const startUs = clock.nowUs();
  const { next, hear } = speaker(options, startUs);
  await using port = options.to === undefined ? undefined : await openPort(options.to);
  if (port) output.write(`ready ${port.name}\n`);
  const gone = new AbortController();
  output.on('error', (error) => gone.abort(error));
  const until = AbortSignal.any([signal, gone.signal]);
  const originUs = clock.monotonicUs();
  try {
    for (;;) {
      const elapsedUs = clock.monotonicUs() - originUs - FRAME_US;
      if (hear) port?.readFrames?.((id, extended, data) => hear(id, extended, data, elapsedUs));
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

/** The vehicle of `CanBus` has no road, and an inertial sensor is mounted in that one only. Errors: FLEETLOG_USAGE. */
function checkKind(options: StreamOptions): void {
  const { kind, format, tunnels, lapM } = options;
  const hasPhysics = physicalKindOf(kind) !== undefined;
  if (hasPhysics && format === 'imu') {
    throw new FleetlogError('FLEETLOG_USAGE', `--format imu is of --kind generic, not ${kind}.`);
  }
  checkSetup(kind, options);
  if (!hasPhysics && (tunnels.length > 0 || lapM !== undefined)) {
    throw new FleetlogError('FLEETLOG_USAGE', `--tunnel and --lap need a --kind with a road, not ${kind}.`);
  }
}

interface Speaker {
  next: (elapsedUs: number) => Uint8Array | string;
  /** Takes frames of others on its bus. */
  hear?: VehicleBus['hear'];
}

function speaker(options: StreamOptions, startUs: number): Speaker {
  const { kind, seed, tunnels, lapM } = options;
  const physical = physicalKindOf(kind);
  if (options.format === 'candump') {
    if (!physical) {
      const bus = new CanBus({ ...options, startUs });
      return { next: (elapsedUs) => bus.next(elapsedUs) };
    }
    const bus = new VehicleBus(physical.create(seed, options), physical.network, {
      ...options,
      startUs,
    });
    return {
      next: (elapsedUs) => bus.next(elapsedUs),
      hear: (id, extended, data, elapsedUs) => bus.hear(id, extended, data, elapsedUs),
    };
  }
  if (options.format === 'imu') {
    const imu = new Imu({ seed: options.seed, rateHz: options.sensorRateHz });
    return { next: (elapsedUs) => imu.next(elapsedUs) };
  }
  const motion = physical?.create(seed, {
    ...options,
    tunnels: lapM === undefined ? tunnels : inEachLap(tunnels, lapM),
  });
  const Receiver = options.format === 'ubx' ? UbloxReceiver : GpsReceiver;
  const receiver = new Receiver({ ...options, startUs, ...(motion && { motion }) });
  return { next: (elapsedUs) => receiver.next(elapsedUs) };
}
