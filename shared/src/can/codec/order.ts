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
const FOLLOWERS = 8;
const KNOWN = 8;
const NEW = 9;
/** Bits that the coder takes at once. */
const BITS_MAX = 15;
/* A copy: V8 folds a module's own constants, not imported ones, and the loops below run for each frame. */
const TABLE = FOLLOWER;

/** Writes and reads the order of channels, which are numbered by first appearance. Reused from batch to batch. */
export class Order {
  /** Of each channel, and last of the start: who followed, latest first, in rows of FOLLOWERS. */
  private followers = new Int32Array(0);
  private followerCount = new Uint8Array(0);
  /** Index of the channel's latest frame, -1 before the first. */
  private latest = new Int32Array(0);
  /** Running mean of the distance between its frames, in sixteenths; 0 where it was seen less than twice. */
  private period = new Int32Array(0);
  /** Index of the frame from which on the channel is due: 5/8 of its period behind its latest frame. */
  private due = new Int32Array(0);

  write(out: SymbolWriter, channelOf: Int32Array, count: number, channels: number): void {
    this.reset(channels);
    out.reserve(3 * count);
    const { followers, followerCount, due } = this;
    let previous = channels;
    let known = 0;
    for (let i = 0; i < count; i++) {
      const channel = channelOf[i];
      let at = previous * FOLLOWERS;
      const end = at + followerCount[previous];
      while (at < end && due[followers[at]] > i) at++;
      const table = at < end ? TABLE + this.phase(followers[at], i) : TABLE;
      let rank = 0;
      while (at < end && followers[at] !== channel) {
        at++;
        while (at < end && due[followers[at]] > i) at++;
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
        at = this.find(previous, channel);
      }
      this.note(i, previous, channel, at);
      previous = channel;
    }
  }

  /** Each channel appears at least once in what it reads. */
  read(input: SymbolReader, channelOf: Int32Array, count: number, channels: number): void {
    this.reset(channels);
    const { followers, followerCount, due } = this;
    let previous = channels;
    let known = 0;
    for (let i = 0; i < count; i++) {
      let at = previous * FOLLOWERS;
      const end = at + followerCount[previous];
      while (at < end && due[followers[at]] > i) at++;
      const symbol = input.symbol(at < end ? TABLE + this.phase(followers[at], i) : TABLE);
      let channel: number;
      if (symbol < FOLLOWERS) {
        for (let rank = symbol; rank > 0 && at < end; rank--) {
          at++;
          while (at < end && due[followers[at]] > i) at++;
        }
        if (at >= end) throw malformedPayload('a frame follows none');
        channel = followers[at];
      } else if (symbol === KNOWN) {
        channel = readIndex(input, known);
        at = this.find(previous, channel);
      } else {
        if (symbol !== NEW || known === channels) throw malformedPayload('a frame is of no channel');
        channel = known++;
        at = end;
      }
      channelOf[i] = channel;
      this.note(i, previous, channel, at);
      previous = channel;
    }
    if (known < channels) throw malformedPayload('a channel has no frames');
  }

  private reset(channels: number): void {
    if (this.latest.length < channels) {
      this.latest = new Int32Array(2 * channels);
      this.period = new Int32Array(2 * channels);
      this.due = new Int32Array(2 * channels);
      this.followerCount = new Uint8Array(2 * channels + 1);
      this.followers = new Int32Array((2 * channels + 1) * FOLLOWERS);
    }
    this.latest.fill(-1, 0, channels);
    this.period.fill(0, 0, channels);
    this.followerCount.fill(0, 0, channels + 1);
  }

  /** How sure it is that a channel comes now: 1 its period is unknown, 2 early, 3 on time, 4 late. */
  private phase(channel: number, i: number): number {
    const period = this.period[channel];
    if (period === 0) return 1;
    const late = i - this.latest[channel] - (period >> 4);
    const tolerance = period >> 7;
    // 4, less one where not late, less one where early; signs instead of branches, which nobody could predict.
    return 4 + ((late - tolerance - 1) >> 31) + ((late + tolerance) >> 31);
  }

  /** The place of a channel in the row of `previous`, or the row's end. */
  private find(previous: number, channel: number): number {
    let at = previous * FOLLOWERS;
    const end = at + this.followerCount[previous];
    while (at < end && this.followers[at] !== channel) at++;
    return at;
  }

  /** Frame `i` is of `channel`, which is at `at` in the row of `previous`; at its end where it isn't there. */
  private note(i: number, previous: number, channel: number, at: number): void {
    const { followers, followerCount, latest, period } = this;
    const start = previous * FOLLOWERS;
    let from = at;
    if (from === start + followerCount[previous]) {
      if (from === start + FOLLOWERS) from--;
      else followerCount[previous]++;
    }
    for (; from > start; from--) followers[from] = followers[from - 1];
    followers[start] = channel;
    const before = latest[channel];
    latest[channel] = i;
    let mean = 0;
    if (before >= 0) {
      const distance = (i - before) << 4;
      mean = period[channel];
      mean = mean === 0 ? distance : mean + ((distance - mean) >> 2);
      period[channel] = mean;
    }
    this.due[channel] = i + ((mean * 5) >> 7);
  }
}

function writeIndex(out: SymbolWriter, index: number, known: number): void {
  const digits = 32 - Math.clz32(known - 1);
  if (digits > BITS_MAX) out.bits(index >>> BITS_MAX, digits - BITS_MAX);
  if (digits > 0) out.bits(index & ((1 << BITS_MAX) - 1), Math.min(digits, BITS_MAX));
}

function readIndex(input: SymbolReader, known: number): number {
  const digits = 32 - Math.clz32(known - 1);
  let index = digits > BITS_MAX ? input.bits(digits - BITS_MAX) << BITS_MAX : 0;
  if (digits > 0) index |= input.bits(Math.min(digits, BITS_MAX));
  if (index >= known) throw malformedPayload('a frame is of no channel');
  return index;
}
