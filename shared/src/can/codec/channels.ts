import { malformedPayload } from '../../batch/payload.js';
import { CAN_SFF_MASK, canonicalDlc, FRAME_DATA_BYTES_MAX, type CanFrames } from '../frames.js';
import type { BitReader } from './bit-reader.js';
import type { BitWriter } from './bit-writer.js';
import { resized } from './resized.js';

/*
 * channels   = count { same [ bus flags length canonical [ dlc ] ] wide id }     ; in order of first appearance
 * count      = number
 * same       = bit               ; bus, flags, length and dlc are those of the channel before
 * canonical  = bit               ; the dlc is what flags and length say
 * wide       = bit               ; the id has 32 bits
 * bus, flags, dlc = 8 bits, length = 7 bits
 * id         = 11 bits | 32 bits
 */
const CHANNEL_BITS_MAX = 1 + 8 + 8 + 7 + 1 + 8 + 1 + 32;
const PLACES_KEPT = 2048;

/** Frames that differ in time and data only are of one channel. Reused from batch to batch. */
export class Channels {
  count = 0;
  id = new Uint32Array(256);
  bus = new Uint8Array(256);
  flags = new Uint8Array(256);
  dlc = new Uint8Array(256);
  length = new Uint8Array(256);
  /** Bus, flags, dlc and length in one. */
  private traits = new Int32Array(256);
  /** Frames of each. */
  frames = new Int32Array(256);
  /** Index of channel + 1 by hash, 0 free; at least twice as many places as channels. */
  private places = new Int32Array(PLACES_KEPT);

  clear(): void {
    this.count = 0;
    if (this.places.length > PLACES_KEPT) this.places = new Int32Array(PLACES_KEPT);
    else this.places.fill(0);
  }

  /** The channel of such a frame, added where it is new. */
  of(id: number, bus: number, flags: number, dlc: number, length: number): number {
    const { places, id: ids, traits } = this;
    const own = traitsOf(bus, flags, dlc, length);
    const mask = places.length - 1;
    let place = hashOf(id, own) & mask;
    let at = places[place] - 1;
    while (at >= 0 && (ids[at] !== id || traits[at] !== own)) {
      place = (place + 1) & mask;
      at = places[place] - 1;
    }
    if (at < 0) {
      at = this.add(id, bus, flags, dlc, length);
      places[place] = at + 1;
      if (2 * this.count > places.length) this.rehash();
    }
    this.frames[at]++;
    return at;
  }

  /** Appends a channel without looking for it. */
  add(id: number, bus: number, flags: number, dlc: number, length: number): number {
    const at = this.count++;
    if (at === this.id.length) this.grow();
    this.id[at] = id;
    this.bus[at] = bus;
    this.flags[at] = flags;
    this.dlc[at] = dlc;
    this.length[at] = length;
    this.traits[at] = traitsOf(bus, flags, dlc, length);
    this.frames[at] = 0;
    return at;
  }

  private grow(): void {
    const size = 2 * this.id.length;
    this.id = resized(this.id, new Uint32Array(size));
    this.bus = resized(this.bus, new Uint8Array(size));
    this.flags = resized(this.flags, new Uint8Array(size));
    this.dlc = resized(this.dlc, new Uint8Array(size));
    this.length = resized(this.length, new Uint8Array(size));
    this.traits = resized(this.traits, new Int32Array(size));
    this.frames = resized(this.frames, new Int32Array(size));
  }

  private rehash(): void {
    const places = new Int32Array(4 * this.places.length);
    const mask = places.length - 1;
    for (let at = 0; at < this.count; at++) {
      let place = hashOf(this.id[at], this.traits[at]) & mask;
      while (places[place] !== 0) place = (place + 1) & mask;
      places[place] = at + 1;
    }
    this.places = places;
  }
}

const traitsOf = (bus: number, flags: number, dlc: number, length: number): number =>
  (flags << 24) | (bus << 16) | (dlc << 8) | length;

function hashOf(id: number, traits: number): number {
  const hash = Math.imul(id ^ Math.imul(traits, 0x85eb_ca6b), 0x9e37_79b1);
  return hash ^ (hash >>> 15);
}

/** Finds the channel of each frame: `channelOf[i]`. */
export function sortIntoChannels(frames: CanFrames, channels: Channels, channelOf: Int32Array): void {
  channels.clear();
  const { id, bus, flags, dlc, dataStart, count } = frames;
  let start = 0;
  for (let i = 0; i < count; i++) {
    const end = dataStart[i + 1];
    channelOf[i] = channels.of(id[i], bus[i], flags[i], dlc[i], end - start);
    start = end;
  }
}

export function writeChannels(out: BitWriter, channels: Channels): void {
  const { count, id, bus, flags, dlc, length } = channels;
  out.reserve(44 + count * CHANNEL_BITS_MAX);
  out.number(count);
  for (let i = 0; i < count; i++) {
    const isSame =
      i > 0 &&
      bus[i] === bus[i - 1] &&
      flags[i] === flags[i - 1] &&
      length[i] === length[i - 1] &&
      dlc[i] === dlc[i - 1];
    out.bits(isSame ? 1 : 0, 1);
    if (!isSame) {
      const isCanonical = dlc[i] === canonicalDlc(flags[i], length[i]);
      out.bits(bus[i], 8);
      out.bits(flags[i], 8);
      out.bits(length[i], 7);
      out.bits(isCanonical ? 1 : 0, 1);
      if (!isCanonical) out.bits(dlc[i], 8);
    }
    const isWide = id[i] > CAN_SFF_MASK;
    out.bits(isWide ? 1 : 0, 1);
    out.long(id[i], isWide ? 32 : 11);
  }
}

/** Reads at most `countMax` channels; their buses have names. */
export function readChannels(input: BitReader, channels: Channels, countMax: number, buses: number): void {
  channels.clear();
  const count = input.numberUpTo(countMax);
  let bus = 0;
  let flags = 0;
  let dlc = 0;
  let length = 0;
  for (let i = 0; i < count; i++) {
    const isSame = input.bits(1) === 1;
    if (isSame && i === 0) throw malformedPayload('the first channel has none before it');
    if (!isSame) {
      bus = input.bits(8);
      if (bus >= buses) throw malformedPayload('a bus has no name');
      flags = input.bits(8);
      length = input.bits(7);
      if (length > FRAME_DATA_BYTES_MAX) throw malformedPayload('a frame is too long');
      dlc = input.bits(1) === 1 ? canonicalDlc(flags, length) : input.bits(8);
    }
    const id = input.bits(1) === 1 ? input.long(32) : input.bits(11);
    channels.add(id, bus, flags, dlc, length);
  }
}
