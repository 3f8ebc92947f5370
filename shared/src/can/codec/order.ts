import { malformedPayload } from '../../batch/payload.js';
import type { SymbolReader } from './symbol-reader.js';
import type { SymbolWriter } from './symbol-writer.js';
import { FOLLOWER } from './tables.js';

/*
 * order    = { follower }             ; one per frame: its channel
 * follower = symbol [ index ]         ; 0 … 7 rank among the channels that may follow; 8 other known; 9 the next new one
 * index    = bits                     ; as many as the number of known channels less one has digits
 *
 * The bus repeats itself: what followed a channel lately follows it again, unless its period says that it isn't due.
 */
/* A copy: V8 folds a module's own constants, not imported ones, and the loops below run for each frame. */
const TABLE = FOLLOWER;
const FOLLOWERS = 8;
const KNOWN = 8;
const NEW = 9;

/** What encoder and decoder both know of the channels that they have seen. Reused from batch to batch. */
export class OrderModel {
  /** Of each channel, and last of the start: who followed, latest first, in rows of FOLLOWERS. */
  followers = new Int32Array(0);
  followerCount = new Uint8Array(0);
  /** Index of the channel's latest frame. */
  latest = new Int32Array(0);
  /** Running mean of the distance between its frames, in sixteenths; 0 where it was seen less than twice. */
  period = new Int32Array(0);

  reset(channels: number): void {
    if (this.latest.length < channels) {
      this.latest = new Int32Array(channels);
      this.period = new Int32Array(channels);
      this.followerCount = new Uint8Array(channels + 1);
      this.followers = new Int32Array((channels + 1) * FOLLOWERS);
    }
    this.followerCount.fill(0, 0, channels + 1);
    this.period.fill(0, 0, channels);
    this.latest.fill(-1, 0, channels);
  }

  /** End of the row of a channel. */
  rowEnd(channel: number): number {
    return channel * FOLLOWERS + this.followerCount[channel];
  }

  /** The first place from `at` on whose channel is due for frame `i`: 8/13 of its period are over; else `end`. */
  nextDue(at: number, end: number, i: number): number {
    const { followers, latest, period } = this;
    let place = at;
    while (place < end) {
      const candidate = followers[place];
      if ((i - latest[candidate]) * 26 >= period[candidate]) break;
      place++;
    }
    return place;
  }

  /** How sure it is that a channel comes now: 1 its period is unknown, 2 early, 3 on time, 4 late. */
  phase(channel: number, i: number): number {
    const period = this.period[channel];
    if (period === 0) return 1;
    const elapsed = (i - this.latest[channel]) << 7;
    return elapsed < 7 * period ? 2 : elapsed < 9 * period ? 3 : 4;
  }

  /** The place of a channel in the row of `previous`, or the row's end. */
  find(previous: number, channel: number): number {
    const end = this.rowEnd(previous);
    let at = previous * FOLLOWERS;
    while (at < end && this.followers[at] !== channel) at++;
    return at;
  }

  /** Frame `i` is of `channel`, found at `at` in the row of `previous` (or there is its end). */
  note(i: number, previous: number, channel: number, at: number): void {
    const { followers, latest, period } = this;
    const start = previous * FOLLOWERS;
    let from = at;
    if (at === start + this.followerCount[previous]) {
      if (at === start + FOLLOWERS) from--;
      else this.followerCount[previous]++;
    }
    for (; from > start; from--) followers[from] = followers[from - 1];
    followers[start] = channel;
    if (latest[channel] >= 0) {
      const distance = (i - latest[channel]) << 4;
      const mean = period[channel];
      period[channel] = mean === 0 ? distance : mean + ((distance - mean) >> 2);
    }
    latest[channel] = i;
  }
}

/** Writes the channels of the frames, which are numbered by first appearance. */
export function writeOrder(
  out: SymbolWriter,
  model: OrderModel,
  channelOf: Int32Array,
  count: number,
  channels: number,
): void {
  model.reset(channels);
  out.reserve(3 * count);
  const { followers } = model;
  let previous = channels;
  let known = 0;
  for (let i = 0; i < count; i++) {
    const channel = channelOf[i];
    const end = model.rowEnd(previous);
    let at = model.nextDue(previous * FOLLOWERS, end, i);
    const table = TABLE + (at < end ? model.phase(followers[at], i) : 0);
    let rank = 0;
    while (at < end && followers[at] !== channel) {
      at = model.nextDue(at + 1, end, i);
      rank++;
    }
    if (at < end) {
      out.symbol(table, rank);
    } else if (channel === known) {
      out.symbol(table, NEW);
      known++;
    } else {
      out.symbol(table, KNOWN);
      writeIndex(out, channel, known);
      at = model.find(previous, channel);
    }
    model.note(i, previous, channel, at);
    previous = channel;
  }
}

/** Reads the channels of the frames into `channelOf`; each channel appears at least once. */
export function readOrder(
  input: SymbolReader,
  model: OrderModel,
  channelOf: Int32Array,
  count: number,
  channels: number,
): void {
  model.reset(channels);
  const { followers } = model;
  let previous = channels;
  let known = 0;
  for (let i = 0; i < count; i++) {
    const end = model.rowEnd(previous);
    let at = model.nextDue(previous * FOLLOWERS, end, i);
    const symbol = input.symbol(TABLE + (at < end ? model.phase(followers[at], i) : 0));
    let channel: number;
    if (symbol < FOLLOWERS) {
      for (let rank = symbol; rank > 0 && at < end; rank--) at = model.nextDue(at + 1, end, i);
      if (at >= end) throw malformedPayload('a frame follows none');
      channel = followers[at];
    } else if (symbol === KNOWN) {
      channel = readIndex(input, known);
      at = model.find(previous, channel);
    } else {
      if (symbol !== NEW || known === channels) throw malformedPayload('a frame is of no channel');
      channel = known++;
      at = end;
    }
    channelOf[i] = channel;
    model.note(i, previous, channel, at);
    previous = channel;
  }
  if (known < channels) throw malformedPayload('a channel has no frames');
}

function writeIndex(out: SymbolWriter, index: number, known: number): void {
  const digits = 32 - Math.clz32(known - 1);
  if (digits > 15) out.bits(index >>> 15, digits - 15);
  if (digits > 0) out.bits(index & 0x7fff, digits < 15 ? digits : 15);
}

function readIndex(input: SymbolReader, known: number): number {
  const digits = 32 - Math.clz32(known - 1);
  let index = digits > 15 ? input.bits(digits - 15) << 15 : 0;
  if (digits > 0) index |= input.bits(digits < 15 ? digits : 15);
  if (index >= known) throw malformedPayload('a frame is of no channel');
  return index;
}
