import { crc32 } from 'node:zlib';
import { FleetlogError } from '@fleetlog/shared/errors';

/** What somebody has of an answer already. */
export interface Held {
  bytes: number;
  /** CRC-32 of these bytes. */
  crc: number;
}

/**
 * The answer behind what is held already, provided that it begins with that.
 * Errors: FLEETLOG_CHANGED where it doesn't; the signal's reason.
 */
export async function* skipHeld(
  chunks: AsyncGenerator<Uint8Array>,
  held: Held,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let left = held.bytes;
  let crc = 0;
  for await (const chunk of chunks) {
    if (left === 0) {
      yield chunk;
      continue;
    }
    signal.throwIfAborted();
    const known = chunk.subarray(0, left);
    crc = crc32(known, crc);
    left -= known.length;
    if (left > 0) continue;
    if (crc !== held.crc) throw changed();
    if (known.length < chunk.length) yield chunk.subarray(known.length);
  }
  if (left > 0) throw changed();
}

const changed = (): FleetlogError =>
  new FleetlogError(
    'FLEETLOG_CHANGED',
    'What was written before is not what the log gives now (batches came in, or clocks were corrected); export anew.',
  );
