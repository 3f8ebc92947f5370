import { FleetlogError } from '../../errors/index.js';
import { limits, type Batch } from '../../batch/types.js';
import { decompress } from '../../batch/zstd.js';
import { CanFrames, FRAME_DATA_BYTES_MAX } from '../frames.js';
import { ByteReader } from './byte-reader.js';
import { readFacts } from './facts.js';
import { malformed } from './malformed.js';

/**
 * Decodes a `can-1` batch into `into` (a new object where none is given), whose earlier content is replaced.
 * Bounded time and memory for any bytes. Errors: FLEETLOG_BATCH_MALFORMED, _LIMIT; after one, `into` holds no frames.
 */
export function decodeCan(batch: Batch, into: CanFrames = new CanFrames()): CanFrames {
  into.clear();
  const { header, payload } = batch;
  if (header.kind !== 'can' || header.codec !== 'can-1') throw malformed('its header names another codec');
  const count = header.recordCount;
  if (count > limits.recordsMax) {
    throw new FleetlogError('FLEETLOG_BATCH_LIMIT', `A batch of ${count} frames is over the limit.`);
  }
  if (!(count >= 0)) throw malformed('its number of frames is impossible');
  const input = new ByteReader(decompress(payload, header.rawBytes));
  try {
    readFacts(input, into, count);
    readColumns(input, into, count);
    into.count = count;
  } catch (error) {
    into.clear();
    throw error;
  }
  return into;
}

function readColumns(input: ByteReader, into: CanFrames, count: number): void {
  if (input.left < 12 * count) throw malformed('it ends too early');
  into.reserve(count, input.left - 12 * count);
  for (let i = 0; i < count; i++) into.timeOffsetUs[i] = input.u32();
  for (let i = 0; i < count; i++) into.id[i] = input.u32();
  into.flags.set(input.borrow(count));
  into.dlc.set(input.borrow(count));
  const bus = input.borrow(count);
  for (let i = 0; i < count; i++) if (bus[i] >= into.buses.length) throw malformed('a bus has no name');
  into.bus.set(bus);
  let end = 0;
  for (let i = 0; i < count; i++) {
    const length = input.u8();
    if (length > FRAME_DATA_BYTES_MAX) throw malformed('a frame is too long');
    end += length;
    into.dataStart[i + 1] = end;
  }
  if (end !== input.left) throw malformed('its data have the wrong length');
  into.data.set(input.borrow(end));
}
