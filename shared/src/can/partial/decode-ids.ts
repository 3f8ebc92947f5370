import { expectCodec, malformedPayload, overLimit } from '../../batch/payload.js';
import { limits, type Batch } from '../../batch/types.js';
import { BitReader } from '../codec/bit-reader.js';
import { ByteReader } from '../codec/byte-reader.js';
import { Channels, readChannels } from '../codec/channels.js';
import { readFacts } from '../codec/facts.js';
import { LaneFiller } from '../codec/lane-filler.js';
import { Order } from '../codec/order.js';
import { Places } from '../codec/places.js';
import { SymbolReader } from '../codec/symbol-reader.js';
import { Times } from '../codec/times.js';
import { decodeCan } from '../codec/decode.js';
import type { CanFrames } from '../frames.js';
import { PartialPlan } from './partial-plan.js';

/** Says whether frames of this `canid_t` are wanted. Asked once per batch for each sort of them. */
export type FrameChoice = (id: number) => boolean;

/**
 * Decodes some identifiers of a batch and passes over the others: symbols are coded in one row and have to be taken in
 * turn, but most of the work comes after. Arrays are used again for each batch.
 */
class PartialDecoder {
  private readonly symbols = new SymbolReader();
  private readonly bits = new BitReader();
  private readonly bytes = new BitReader();
  private readonly all = new Channels();
  private readonly chosen = new Channels();
  private readonly order = new Order();
  private readonly times = new Times();
  private readonly places = new Places();
  private readonly plan = new PartialPlan(this.symbols, this.bits);
  private readonly filler = new LaneFiller(this.plan, this.bytes);
  private channelOf = new Int32Array(4096);
  private timeOffsetUs = new Int32Array(4096);
  /** Of each channel: its place among the chosen ones; -1 where it isn't wanted. */
  private placeOf = new Int32Array(256);

  /** False where so much is wanted that the whole batch is had sooner. */
  decode({ header, payload }: Batch, wants: FrameChoice, into: CanFrames): boolean {
    const count = header.recordCount;
    if (count > limits.recordsMax || header.rawBytes > limits.rawBytesMax)
      throw overLimit('its header says so');
    if (!(count >= 0)) throw malformedPayload('its number of frames is impossible');
    const input = new ByteReader(payload);
    const { firstTimeUs, rawBytes } = header;
    const factsBytes = readFacts(input, into, { count, firstTimeUs, rawBytesMax: rawBytes });
    if (into.verbatim.size > 0) into.verbatim = new Map(); // text of lines belongs to all frames
    const { symbols, bits, all, chosen } = this;
    const tableBytes = input.varint();
    const bitBytes = input.varint();
    const tables = input.borrow(tableBytes);
    bits.open(input.borrow(bitBytes));
    readChannels(bits, all, count, into.buses.length);
    this.choose(wants);
    if (chosen.count === 0) return true;
    if (2 * chosen.count > all.count) return false;
    this.bytes.open(tables);
    symbols.readTables(this.bytes);
    symbols.open(input.rest());
    if (this.channelOf.length < count) {
      this.channelOf = new Int32Array(2 * count);
      this.timeOffsetUs = new Int32Array(2 * count);
    }
    this.order.read(symbols, bits, this.channelOf, count, all.count);
    const frames = countFrames(all, this.channelOf, count, rawBytes - factsBytes);
    this.times.read(symbols, bits, this.timeOffsetUs, count);
    into.reserve(frames, rawBytes - factsBytes);
    this.pick(count, into);
    this.places.sort(chosen, this.channelOf, into.dataStart, into.count);
    const { dataStart } = this.places;
    this.bytes.open(this.plan.readChosen(all, chosen, this.placeOf, dataStart, into.data));
    this.filler.fill(chosen, dataStart, into.data);
    return true;
  }

  private choose(wants: FrameChoice): void {
    const { all, chosen } = this;
    if (this.placeOf.length < all.count) this.placeOf = new Int32Array(2 * all.count);
    chosen.clear();
    for (let i = 0; i < all.count; i++) {
      const isWanted = wants(all.id[i]);
      this.placeOf[i] = isWanted ? chosen.count : -1;
      if (isWanted) chosen.add(all.id[i], all.bus[i], all.flags[i], all.dlc[i], all.length[i]);
    }
  }

  /** Gives the chosen frames what their channel says; `channelOf` are the chosen channels of these frames afterwards. */
  private pick(count: number, into: CanFrames): void {
    const { channelOf, placeOf, chosen, timeOffsetUs } = this;
    const { id, bus, flags, dlc, length, frames } = chosen;
    let at = 0;
    let end = 0;
    for (let i = 0; i < count; i++) {
      const place = placeOf[channelOf[i]];
      if (place < 0) continue;
      channelOf[at] = place;
      frames[place]++;
      into.timeOffsetUs[at] = timeOffsetUs[i];
      into.id[at] = id[place];
      into.bus[at] = bus[place];
      into.flags[at] = flags[place];
      into.dlc[at] = dlc[place];
      end += length[place];
      into.dataStart[++at] = end;
    }
    into.count = at;
  }
}

/** Counts each channel's frames, and checks that their data are as long as the header says. Returns `count`. */
function countFrames(channels: Channels, channelOf: Int32Array, count: number, dataBytes: number): number {
  const { frames, length } = channels;
  for (let i = 0; i < count; i++) frames[channelOf[i]]++;
  let bytes = 0;
  for (let i = 0; i < channels.count; i++) bytes += frames[i] * length[i];
  if (bytes !== dataBytes) throw malformedPayload('its data are not as long as the header says');
  return count;
}

/** Larger batches, which are rare, get arrays of their own, so that one of them doesn't hold memory for ever. */
const FRAMES_KEPT = 65_536;
const decoder = new PartialDecoder();

/**
 * Decodes at least the frames of a `can-1` batch that are wanted, in their order, into `into`, whose earlier content is
 * replaced: all frames where most sorts of them are wanted. They are as `decodeCan` gives them, but text that a recording
 * had of them may be left out. Bounded time and memory for any bytes. A payload that is malformed behind what is wanted
 * isn't refused, as `decodeCan` does.
 * Errors: FLEETLOG_BATCH_CODEC, _MALFORMED, _LIMIT; after one, `into` holds no frames.
 */
export function decodeCanIds(batch: Batch, wants: FrameChoice, into: CanFrames): CanFrames {
  expectCodec(batch, 'can-1');
  into.clear();
  try {
    const worker = batch.header.recordCount > FRAMES_KEPT ? new PartialDecoder() : decoder;
    if (!worker.decode(batch, wants, into)) return decodeCan(batch, into);
  } catch (error) {
    into.clear();
    throw error;
  }
  return into;
}
