import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { FleetlogError, systemCode } from '@fleetlog/shared/errors';
import type { Clock } from '@fleetlog/shared/util';
import { candumpText } from '../vehicle/can-bus.js';
import type { Firmware } from '../vehicle/firmware.js';
import { checkSetup } from './setup.js';
import { streamsOf, type VehicleSetup, type VehicleStream } from '../vehicle/kinds.js';

export interface RecordOptions extends Pick<VehicleSetup, 'failing' | 'driving'> {
  seed: number;
  kind: string;
  firmware: Firmware | undefined;
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
  const { seed, kind, firmware, failing, driving, can, gps, rate, fixRate: fixRateHz } = options;
  checkSetup(kind, options);
  if (can === undefined && gps === undefined) {
    throw new FleetlogError('FLEETLOG_USAGE', 'Say what to write: --can FILE, --gps FILE, or both.');
  }
  if (kind !== 'generic' && rate !== 1) {
    throw new FleetlogError(
      'FLEETLOG_USAGE',
      `--rate is of --kind generic; a ${kind} sends as its database says.`,
    );
  }
  const { start: startUs = clock.nowUs(), duration: durationUs = 60e6 } = options;
  const speech = {
    seed,
    startUs,
    durationUs,
    fixRateHz,
    ...(firmware && { firmware }),
    ...(failing && { failing }),
    ...(driving && { driving }),
  };
  const said = (format: VehicleStream['format']): Iterable<Uint8Array | string> =>
    streamsOf(kind)
      .find((stream) => stream.format === format)
      ?.speak(speech) ?? [];
  if (can !== undefined) {
    await write(can, kind === 'generic' ? candumpText({ ...speech, rate }) : said('candump'));
  }
  if (gps !== undefined) await write(gps, said('lines'));
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
