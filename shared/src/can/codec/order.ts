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

/** True from 8/13 of the period on. */
const isDue = (elapsed: number, period: number): boolean => elapsed * 26 >= period;

/** How sure it is that the first candidate follows: 1 period unknown, 2 early, 3 on time, 4 late. */
function phaseOf(elapsed: number, period: number): number {
  if (period === 0) return 1;
  const eighths = elapsed << 7;
  return eighths < 7 * period ? 2 : eighths < 9 * period ? 3 : 4;
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
  const { followers, followerCount, latest, period } = model;
  let previous = channels;
  let known = 0;
  for (let i = 0; i < count; i++) {
    const channel = channelOf[i];
    let at = previous * FOLLOWERS;
    const end = at + followerCount[previous];
    let phase = 0;
    let rank = 0;
    for (; at < end; at++) {
      const candidate = followers[at];
      const elapsed = i - latest[candidate];
      const expected = period[candidate];
      if (!isDue(elapsed, expected)) {
        if (candidate === channel) at = end;
        continue;
      }
      if (phase === 0) phase = phaseOf(elapsed, expected);
      if (candidate === channel) break;
      rank++;
    }
    if (at < end) {
      out.symbol(FOLLOWER + phase, rank);
    } else if (channel === known) {
      out.symbol(FOLLOWER + phase, NEW);
      known++;
    } else {
      out.symbol(FOLLOWER + phase, KNOWN);
      writeIndex(out, channel, known);
    }
    model.note(i, previous, channel, at);
    previous = channel;
  }
}
