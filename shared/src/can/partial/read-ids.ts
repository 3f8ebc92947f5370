import { expectCodec } from '../../batch/payload.js';
import type { Batch } from '../../batch/types.js';
import { ByteReader } from '../codec/byte-reader.js';
import { Channels } from '../codec/channels.js';
import { readFacts } from '../codec/facts.js';
import { CanFrames } from '../frames.js';
import { readChannelList } from './channel-list.js';
import { PlainBits } from './plain-bits.js';

const plain = new PlainBits();
const channels = new Channels();

/**
 * The different `canid_t`s in a `can-1` batch, ascending, without decoding any frame. Errors: FLEETLOG_BATCH_CODEC,
 * _MALFORMED, _LIMIT.
 */
export function readCanIds(batch: Batch): Uint32Array {
  expectCodec(batch, 'can-1');
  const { recordCount: count, firstTimeUs, rawBytes } = batch.header;
  const input = new ByteReader(batch.payload);
  const facts = new CanFrames(0, 0);
  readFacts(input, facts, { count, firstTimeUs, rawBytesMax: rawBytes });
  const tableBytes = input.varint();
  const bitBytes = input.varint();
  input.borrow(tableBytes);
  plain.open(input.borrow(bitBytes));
  readChannelList(plain, channels, count, facts.buses.length);
  const ids = channels.id.slice(0, channels.count).sort();
  let kept = 0;
  for (const id of ids) if (kept === 0 || ids[kept - 1] !== id) ids[kept++] = id;
  return ids.subarray(0, kept);
}
