import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { FleetlogError, systemCode } from '@fleetlog/shared/errors';
import type { Clock } from '@fleetlog/shared/util';
import { candumpText } from '../vehicle/can-bus.js';
import { nmeaText } from '../vehicle/gps.js';

export interface RecordOptions {
  seed: number;
  /** How long the drive takes, µs; a minute where absent. */
  duration?: number;
  /** µs since the Unix epoch; now where absent. */
  start?: number;
  /** Files to write; at least one. */
  can?: string;
  gps?: string;
  rate: number;
  fixRate: number;
}

/** `fleetlog-sim drive`. Errors: FLEETLOG_USAGE. */
export async function recordDrive(options: RecordOptions, clock: Clock): Promise<void> {
  const { seed, duration: durationUs = 60e6, can, gps, rate, fixRate: fixRateHz } = options;
  if (can === undefined && gps === undefined) {
    throw new FleetlogError('FLEETLOG_USAGE', 'Say what to write: --can FILE, --gps FILE, or both.');
  }
  const startUs = options.start ?? clock.nowUs();
  if (can !== undefined) await write(can, candumpText({ seed, startUs, durationUs, rate }));
  if (gps !== undefined) await write(gps, nmeaText({ seed, startUs, durationUs, fixRateHz }));
}

async function write(path: string, chunks: Iterable<Uint8Array | string>): Promise<void> {
  try {
    await pipeline(Readable.from(chunks, { objectMode: true }), createWriteStream(path));
  } catch (cause) {
    const code = systemCode(cause);
    if (code === undefined) throw cause;
    throw new FleetlogError('FLEETLOG_USAGE', `${path} can't be written (${code}).`, { cause });
  }
}
