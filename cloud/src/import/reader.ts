import type { RecordingOut } from './out.js';
import type { Recording } from './recording.js';

export interface ReadOptions {
  /** What to take off times that come without a zone, µs: how far the recorder's clock was ahead of UTC. */
  zoneUs: number;
}

/**
 * Reads a recording into `out`; yields every now and then, so that what is sealed can be sent.
 * Errors: FLEETLOG_USAGE where the file can't be of this format.
 */
export type Reader = (recording: Recording, out: RecordingOut, options: ReadOptions) => AsyncGenerator<void>;
