import { malformedPayload } from '../../batch/payload.js';
import type { BitReader } from './bit-reader.js';
import type { BitWriter } from './bit-writer.js';
import type { SymbolReader } from './symbol-reader.js';
import type { SymbolWriter } from './symbol-writer.js';
import { FOLLOWER } from './tables.js';

/*
 * order    = { follower } { index }
 * follower = symbol          ; of each frame but the first: 0 … 7 its channel's place among those that followed the channel
 *                            ; of the frame before, the latest first; 8 another channel that was seen before; 9 the next
 *                            ; new one
 * index    = bits            ; of each follower 8: the channel; as many bits as the number of channels less one has
 *
 * The first frame is of channel 0. The bus repeats itself: what followed a channel lately follows it again.
 */
const PLACES = 8;
const KNOWN = 8;
const NEW = 9;
/** A channel's row: how many followers it holds, and these. */
const ROW = PLACES + 1;

/** Writes and reads the order of channels, which are numbered by first appearance. Reused from batch to batch. */
export class Order {
  private rows = new Int32Array(0);
  private followers = new Uint8Array(4096);

  write(out: SymbolWriter, bits: BitWriter, channelOf: Int32Array, count: number, channels: number): void {
    this.reset(channels);
    const { rows } = this;
    const column = out.columns[FOLLOWER];
    column.reserve(count);
    const { symbols } = column;
    const digits = 32 - Math.clz32(channels - 1);
    bits.reserve(digits * count);
    let row = 0;
    let known = 1;
    for (let i = 1; i < count; i++) {
      const channel = channelOf[i];
      const held = rows[row];
      let place = 0;
      while (place < held && rows[row + 1 + place] !== channel) place++;
      if (place < held) {
        symbols[i - 1] = place;
        rows[row + 1 + place] = rows[row + 1];
        rows[row + 1] = channel;
      } else {
        if (channel === known) {
          symbols[i - 1] = NEW;
          known++;
        } else {
          symbols[i - 1] = KNOWN;
          bits.long(channel, digits);
        }
        insert(rows, row, channel);
      }
      row = channel * ROW;
    }
    column.count = Math.max(0, count - 1);
  }

  /** Each channel appears at least once in what it reads. */
  read(input: SymbolReader, bits: BitReader, channelOf: Int32Array, count: number, channels: number): void {
    this.reset(channels);
    if (this.followers.length < count) this.followers = new Uint8Array(2 * count);
    const { rows, followers } = this;
    if (count === 0) {
      if (channels > 0) throw malformedPayload('a channel has no frames');
      return;
    }
    if (channels === 0) throw malformedPayload('a frame is of no channel');
    input.column(FOLLOWER, NEW + 1, followers, count - 1);
    const digits = 32 - Math.clz32(channels - 1);
    channelOf[0] = 0;
    let row = 0;
    let known = 1;
    for (let i = 1; i < count; i++) {
      const place = followers[i - 1];
      let channel: number;
      if (place < rows[row]) {
        channel = rows[row + 1 + place];
        rows[row + 1 + place] = rows[row + 1];
        rows[row + 1] = channel;
      } else {
        if (place < KNOWN) throw malformedPayload('a frame follows none');
        channel = place === NEW ? known++ : bits.long(digits);
        if (channel >= known || channel >= channels) throw malformedPayload('a frame is of no channel');
        insert(rows, row, channel);
      }
      channelOf[i] = channel;
      row = channel * ROW;
    }
    if (known < channels) throw malformedPayload('a channel has no frames');
  }

  private reset(channels: number): void {
    const length = channels * ROW;
    if (this.rows.length < length) this.rows = new Int32Array(length + (length >> 2));
    for (let row = 0; row < length; row += ROW) this.rows[row] = 0;
  }
}

/** Notes a channel that isn't in a row: at its front, whose channel moves to the end, where the last one falls out. */
function insert(rows: Int32Array, row: number, channel: number): void {
  const held = rows[row];
  if (held < PLACES) rows[row] = held + 1;
  rows[row + (held < PLACES ? held + 1 : PLACES)] = rows[row + 1];
  rows[row + 1] = channel;
}
