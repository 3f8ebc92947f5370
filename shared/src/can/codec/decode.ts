import { expectCodec, malformedPayload, overLimit } from '../../batch/payload.js';
import { checkTimeSpan } from '../../batch/times.js';
import { limits, type Batch } from '../../batch/types.js';
import { CanFrames } from '../frames.js';
import { BitReader } from './bit-reader.js';
import { ByteReader } from './byte-reader.js';
import { Channels, readChannels } from './channels.js';
import { readFacts } from './facts.js';
import { LaneFiller } from './lane-filler.js';
import { LanePlan } from './lane-plan.js';
import { Order } from './order.js';
import { Places } from './places.js';
import { SymbolReader } from './symbol-reader.js';
import { Times } from './times.js';

/** Arrays that are used again for each batch: decoding is synchronous, so one set serves a thread. */
class Decoder {
  private readonly symbols = new SymbolReader();
  private readonly bits = new BitReader();
  private readonly channels = new Channels();
  private readonly order = new Order();
  private readonly times = new Times();
  private readonly places = new Places();
  private readonly plan = new LanePlan(this.symbols, this.bits);
  private readonly filler = new LaneFiller(this.plan, this.bits);
  private channelOf = new Int32Array(4096);

  decode({ header, payload }: Batch, into: CanFrames): void {
    const count = header.recordCount;
    if (count > limits.recordsMax || header.rawBytes > limits.rawBytesMax)
      throw overLimit('its header says so');
    if (!(count >= 0)) throw malformedPayload('its number of frames is impossible');
    const input = new ByteReader(payload);
    const factsBytes = readFacts(input, into, {
      count,
      firstTimeUs: header.firstTimeUs,
      rawBytesMax: header.rawBytes,
    });
    const dataBytes = header.rawBytes - factsBytes;
    const { symbols, bits, channels } = this;
    const tableBytes = input.varint();
    const bitBytes = input.varint();
    bits.open(input.borrow(tableBytes));
    symbols.readTables(bits);
    bits.close();
    bits.open(input.borrow(bitBytes));
    symbols.open(input.rest());
    readChannels(bits, channels, count, into.buses.length);
    if (this.channelOf.length < count) this.channelOf = new Int32Array(2 * count);
    const { channelOf } = this;
    this.order.read(symbols, bits, channelOf, count, channels.count);
    into.reserve(count, dataBytes);
    if (spread(channels, channelOf, count, into) !== dataBytes) {
      throw malformedPayload('its data are not as long as the header says');
    }
    this.times.read(symbols, bits, into.timeOffsetUs, count);
    this.places.sort(channels, channelOf, into.dataStart, count);
    this.plan.read(channels, this.places.dataStart, into.data);
    this.filler.fill(channels, this.places.dataStart, into.data);
    symbols.close();
    bits.close();
    into.count = count;
  }
}

/** Gives each frame what its channel says, counts the channels' frames, and returns the length of all data. */
function spread(channels: Channels, channelOf: Int32Array, count: number, into: CanFrames): number {
  const { id, length, frames } = channels;
  const { id: ids, dataStart } = into;
  spreadColumn(channels.bus, channels.count, channelOf, count, into.bus);
  spreadColumn(channels.flags, channels.count, channelOf, count, into.flags);
  spreadColumn(channels.dlc, channels.count, channelOf, count, into.dlc);
  let end = 0;
  for (let i = 0; i < count; i++) {
    const channel = channelOf[i];
    ids[i] = id[channel];
    frames[channel]++;
    end += length[channel];
    dataStart[i + 1] = end;
  }
  return end;
}

function spreadColumn(
  ofChannel: Uint8Array,
  channels: number,
  channelOf: Int32Array,
  count: number,
  into: Uint8Array,
): void {
  let different = 0;
  for (let i = 1; i < channels; i++) different |= ofChannel[i] ^ ofChannel[0];
  if (different === 0) into.fill(ofChannel[0], 0, count);
  else for (let i = 0; i < count; i++) into[i] = ofChannel[channelOf[i]];
}

/** Larger batches, which are rare, get arrays of their own, so that one of them doesn't hold memory for ever. */
const FRAMES_KEPT = 65_536;
const decoder = new Decoder();

/**
 * Decodes a `can-1` batch into `into` (a new object where none is given), whose earlier content is replaced; its
 * arrays are used again. Bounded time and memory for any bytes.
 * Errors: FLEETLOG_BATCH_CODEC, _MALFORMED, _LIMIT; after one, `into` holds no frames.
 */
export function decodeCan(batch: Batch, into: CanFrames = new CanFrames()): CanFrames {
  expectCodec(batch, 'can-1');
  into.clear();
  try {
    const worker = batch.header.recordCount > FRAMES_KEPT ? new Decoder() : decoder;
    worker.decode(batch, into);
    checkTimeSpan(batch.header, into);
  } catch (error) {
    into.clear();
    throw error;
  }
  return into;
}
