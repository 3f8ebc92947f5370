import { expectCodec, malformedPayload, overLimit } from '../../batch/payload.js';
import { limits, type Batch, type BatchHeader } from '../../batch/types.js';
import { BitReader } from '../codec/bit-reader.js';
import { ByteReader } from '../codec/byte-reader.js';
import { Channels } from '../codec/channels.js';
import { decodeCan } from '../codec/decode.js';
import { readFacts } from '../codec/facts.js';
import { LaneFiller } from '../codec/lane-filler.js';
import { Places } from '../codec/places.js';
import { FRAME_DATA_BYTES_MAX, type CanFrames } from '../frames.js';
import { readChannelList } from './channel-list.js';
import { FrameTimes } from './frame-times.js';
import { PartialPlan, type Chosen } from './partial-plan.js';
import { PickedFrames } from './picked-frames.js';
import { PlainBits } from './plain-bits.js';
import { SymbolColumns } from './symbol-columns.js';

/**
 * Says which bytes of frames of this `canid_t` are wanted: 1 or 0 of each of 64; undefined where no such frame is. Asked
 * once per batch for each sort of frames.
 */
export type FrameChoice = (id: number) => Uint8Array | undefined;

/** For those who want frames whole. */
export const everyByte: Uint8Array = new Uint8Array(FRAME_DATA_BYTES_MAX).fill(1);

/** What has to be known of a batch to decode its payload. */
export interface CanPayload {
  header: Pick<BatchHeader, 'codec' | 'recordCount' | 'rawBytes' | 'firstTimeUs' | 'lastTimeUs'>;
  payload: Uint8Array;
}

/** Part of all bytes from which on the whole batch is had sooner. */
const WHOLE_PART = 0.6;

/**
 * Decodes some bytes of some identifiers of a batch and passes over the others: symbols are coded in one row and have to
 * be taken in turn, but most of the work comes after, and nothing behind the last one that is wanted is looked at.
 * Arrays are used again for each batch.
 */
class PartialDecoder {
  private readonly symbols = new SymbolColumns();
  private readonly plain = new PlainBits();
  private readonly tables = new PlainBits();
  private readonly bytes = new BitReader();
  private readonly all = new Channels();
  private readonly picked = new PickedFrames();
  private readonly times = new FrameTimes();
  private readonly places = new Places();
  private readonly plan = new PartialPlan(this.symbols, this.plain);
  private readonly filler = new LaneFiller(this.plan, this.bytes);
  private readonly chosenBytes: Uint8Array[] = [];
  private readonly chosen = {
    channels: new Channels(),
    bytes: this.chosenBytes,
    placeOf: new Int32Array(256),
  } satisfies Chosen;
  private timeOffsetUs = new Int32Array(4096);

  /** False where so much is wanted that the whole batch is had sooner. */
  decode({ header, payload }: CanPayload, wants: FrameChoice, into: CanFrames): boolean {
    const { recordCount: count, firstTimeUs, rawBytes } = header;
    if (count > limits.recordsMax || rawBytes > limits.rawBytesMax) throw overLimit('its header says so');
    if (!(count >= 0)) throw malformedPayload('its number of frames is impossible');
    const input = new ByteReader(payload);
    const dataBytes = rawBytes - readFacts(input, into, { count, firstTimeUs, rawBytesMax: rawBytes });
    if (into.verbatim.size > 0) into.verbatim = new Map(); // text of lines belongs to all frames
    const { symbols, plain, tables, bytes, all, chosen, picked, places } = this;
    const tableBytes = input.varint();
    const bitBytes = input.varint();
    tables.open(input.borrow(tableBytes));
    plain.open(input.borrow(bitBytes));
    readChannelList(plain, all, count, into.buses.length);
    if (this.choose(wants)) return false;
    if (chosen.channels.count === 0) return true;
    symbols.readTables(tables);
    symbols.open(input.rest());
    picked.read(symbols, plain, count, all, chosen.placeOf);
    checkDataBytes(all, dataBytes);
    if (this.timeOffsetUs.length < count) this.timeOffsetUs = new Int32Array(2 * count);
    this.times.read(symbols, plain, this.timeOffsetUs, count);
    into.reserve(picked.count, dataBytes);
    this.give(into);
    places.sort(chosen.channels, picked.channel, into.dataStart, into.count);
    bytes.open(this.plan.readChosen(all, chosen, places.dataStart, into.data));
    this.filler.fill(chosen.channels, places.dataStart, into.data);
    return true;
  }

  /** Whether most bytes are wanted. */
  private choose(wants: FrameChoice): boolean {
    const { all, chosen } = this;
    if (chosen.placeOf.length < all.count) chosen.placeOf = new Int32Array(2 * all.count);
    const { channels, bytes, placeOf } = chosen;
    channels.clear();
    bytes.length = 0;
    let lanes = 0;
    let wantedLanes = 0;
    for (let i = 0; i < all.count; i++) {
      const wanted = wants(all.id[i]);
      lanes += all.length[i];
      placeOf[i] = wanted ? channels.count : -1;
      if (!wanted) continue;
      channels.add(all.id[i], all.bus[i], all.flags[i], all.dlc[i], all.length[i]);
      bytes.push(wanted);
      for (let byte = 0; byte < all.length[i]; byte++) wantedLanes += wanted[byte];
    }
    return wantedLanes > WHOLE_PART * lanes;
  }

  /** Gives the picked frames what their channel says; each has its place among the chosen channels afterwards. */
  private give(into: CanFrames): void {
    const { picked, chosen, timeOffsetUs } = this;
    const { index, channel, count } = picked;
    const { id, bus, flags, dlc, length, frames } = chosen.channels;
    let end = 0;
    for (let i = 0; i < count; i++) {
      const place = chosen.placeOf[channel[i]];
      channel[i] = place;
      frames[place]++;
      into.timeOffsetUs[i] = timeOffsetUs[index[i]];
      into.id[i] = id[place];
      into.bus[i] = bus[place];
      into.flags[i] = flags[place];
      into.dlc[i] = dlc[place];
      end += length[place];
      into.dataStart[i + 1] = end;
    }
    into.count = count;
  }
}

function checkDataBytes({ count, frames, length }: Channels, dataBytes: number): void {
  let bytes = 0;
  for (let i = 0; i < count; i++) bytes += frames[i] * length[i];
  if (bytes !== dataBytes) throw malformedPayload('its data are not as long as the header says');
}

/** Larger batches, which are rare, get arrays of their own, so that one of them doesn't hold memory for ever. */
const FRAMES_KEPT = 65_536;
const decoder = new PartialDecoder();

/**
 * Decodes at least the frames of a `can-1` batch that are wanted, in their order, into `into`, whose earlier content is
 * replaced: all frames where most of the batch is wanted. They are as `decodeCan` gives them, but for bytes that aren't wanted, which say nothing, and text that a recording had
 * of them. Bounded time and memory for any bytes. A payload that is malformed behind what is wanted isn't refused, as
 * `decodeCan` does.
 * Errors: FLEETLOG_BATCH_CODEC, _MALFORMED, _LIMIT; after one, `into` holds no frames.
 */
export function decodeCanIds(batch: CanPayload, wants: FrameChoice, into: CanFrames): CanFrames {
  expectCodec(batch, 'can-1');
  into.clear();
  try {
    const worker = batch.header.recordCount > FRAMES_KEPT ? new PartialDecoder() : decoder;
    if (!worker.decode(batch, wants, into)) return decodeCan(batch as Batch, into); // it reads no more of the header
  } catch (error) {
    into.clear();
    throw error;
  }
  return into;
}
