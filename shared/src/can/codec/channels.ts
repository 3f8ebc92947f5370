import { malformedPayload } from '../../batch/payload.js';
import { CAN_SFF_MASK, canonicalDlc, FRAME_DATA_BYTES_MAX, type CanFrames } from '../frames.js';
import type { SymbolReader } from './symbol-reader.js';
import type { SymbolWriter } from './symbol-writer.js';
import { readNumberUpTo, writeNumber } from './numbers.js';
import { resized } from './resized.js';
import { FORM, SMALL } from './tables.js';

/*
 * channels   = count { form [ bus flags length [ dlc ] ] id }   ; in order of first appearance
 * count      = number
 * form       = symbol            ; 0 bus, flags, length and dlc as the channel before, 2 dlc as flags and length say,
 *                                ; 4 dlc follows; plus 1 where the id has 32 bits
 * bus, flags, dlc = 8 bits, length = number
 * id         = 11 bits | 32 bits
 */
const SAME = 0;
const CANONICAL = 2;
const EXPLICIT = 4;
const WIDE_ID = 1;
const PLACES_KEPT = 2048;

/** Frames that differ in time and data only are of one channel. Reused from batch to batch. */
export class Channels {
  count = 0;
  id = new Uint32Array(256);
  bus = new Uint8Array(256);
  flags = new Uint8Array(256);
  dlc = new Uint8Array(256);
  length = new Uint8Array(256);
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
    const { places } = this;
    const mask = places.length - 1;
    let place = hashOf(id, bus, flags, dlc, length) & mask;
    for (;;) {
      const at = places[place] - 1;
      if (at < 0) break;
      if (
        this.id[at] === id &&
        this.length[at] === length &&
        this.dlc[at] === dlc &&
        this.flags[at] === flags &&
        this.bus[at] === bus
      ) {
        this.frames[at]++;
        return at;
      }
      place = (place + 1) & mask;
    }
    const at = this.add(id, bus, flags, dlc, length);
    this.frames[at] = 1;
    places[place] = at + 1;
    if (2 * this.count > places.length) this.rehash();
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
    this.frames = resized(this.frames, new Int32Array(size));
  }

  private rehash(): void {
    const places = new Int32Array(4 * this.places.length);
    const mask = places.length - 1;
    for (let at = 0; at < this.count; at++) {
      let place = hashOf(this.id[at], this.bus[at], this.flags[at], this.dlc[at], this.length[at]) & mask;
      while (places[place] !== 0) place = (place + 1) & mask;
      places[place] = at + 1;
    }
    this.places = places;
  }
}

function hashOf(id: number, bus: number, flags: number, dlc: number, length: number): number {
  const rest = (flags << 24) | (bus << 16) | (dlc << 8) | length;
  const hash = Math.imul(id ^ Math.imul(rest, 0x85eb_ca6b), 0x9e37_79b1);
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

export function writeChannels(out: SymbolWriter, channels: Channels): void {
  const { count, id, bus, flags, dlc, length } = channels;
  out.reserve(8 * count + 4);
  writeNumber(out, SMALL, count);
  for (let i = 0; i < count; i++) {
    const idForm = id[i] <= CAN_SFF_MASK ? 0 : WIDE_ID;
    const isSame =
      i > 0 &&
      bus[i] === bus[i - 1] &&
      flags[i] === flags[i - 1] &&
      length[i] === length[i - 1] &&
      dlc[i] === dlc[i - 1];
    const isCanonical = dlc[i] === canonicalDlc(flags[i], length[i]);
    const form = isSame ? SAME : isCanonical ? CANONICAL : EXPLICIT;
    out.symbol(FORM, idForm + form);
    if (!isSame) {
      out.bits(bus[i], 8);
      out.bits(flags[i], 8);
      writeNumber(out, SMALL, length[i]);
      if (!isCanonical) out.bits(dlc[i], 8);
    }
    if (idForm === 0) out.bits(id[i], 11);
    else out.word(id[i]);
  }
}

/** Reads at most `countMax` channels; their buses have names. */
export function readChannels(input: SymbolReader, channels: Channels, countMax: number, buses: number): void {
  channels.clear();
  const count = readNumberUpTo(input, SMALL, countMax);
  let bus = 0;
  let flags = 0;
  let dlc = 0;
  let length = 0;
  for (let i = 0; i < count; i++) {
    const symbol = input.symbol(FORM);
    const form = symbol & ~WIDE_ID;
    if (form > EXPLICIT || (form === SAME && i === 0)) throw malformedPayload('a channel has no form');
    if (form !== SAME) {
      bus = input.bits(8);
      if (bus >= buses) throw malformedPayload('a bus has no name');
      flags = input.bits(8);
      length = readNumberUpTo(input, SMALL, FRAME_DATA_BYTES_MAX);
      dlc = form === CANONICAL ? canonicalDlc(flags, length) : input.bits(8);
    }
    const id = symbol & WIDE_ID ? input.word() : input.bits(11);
    channels.add(id, bus, flags, dlc, length);
  }
}
