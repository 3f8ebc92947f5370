import { malformedPayload } from '../../batch/payload.js';
import type { Channels } from '../codec/channels.js';
import { FOLLOWER } from '../codec/tables.js';
import type { PlainBits } from './plain-bits.js';
import type { SymbolColumns } from './symbol-columns.js';

/* As in ../codec/order.ts. */
const PLACES = 8;
const KNOWN = 8;
const NEW = 9;
/** A channel's row: how many followers it holds, the rows of these, its frames so far, 1 where they are wanted. */
const FRAMES = PLACES + 1;
const WANTED = PLACES + 2;
const ROW = PLACES + 3;

/** Reads the order of channels, and which frames are those of the wanted ones. Reused from batch to batch. */
export class PickedFrames {
  /** Wanted frames: index in the batch, and channel. */
  count = 0;
  index = new Int32Array(0);
  channel = new Int32Array(0);
  private rows = new Int32Array(0);
  private followers = new Uint8Array(4096);

  /** Also counts each channel's frames. `placeOf`: of each channel, below 0 where it isn't wanted. */
  read(input: SymbolColumns, plain: PlainBits, count: number, channels: Channels, placeOf: Int32Array): void {
    this.count = 0;
    if (count === 0) {
      if (channels.count > 0) throw malformedPayload('a channel has no frames');
      return;
    }
    if (channels.count === 0) throw malformedPayload('a frame is of no channel');
    this.reserve(count, channels.count);
    input.read(FOLLOWER, NEW + 1, this.followers, count - 1);
    if (channels.count === 1) {
      this.pickAll(count, channels, placeOf);
      return;
    }
    this.prepareRows(channels.count, placeOf);
    this.follow(plain, count, channels.count);
    for (let i = 0; i < channels.count; i++) channels.frames[i] = this.rows[i * ROW + FRAMES];
    for (let i = 0; i < this.count; i++) this.channel[i] /= ROW;
  }

  /** Where there is one channel, all frames are its own. */
  private pickAll(count: number, { frames }: Channels, placeOf: Int32Array): void {
    frames[0] = count;
    if (placeOf[0] < 0) return;
    const { index, channel } = this;
    for (let i = 0; i < count; i++) {
      index[i] = i;
      channel[i] = 0;
    }
    this.count = count;
  }

  private follow(plain: PlainBits, count: number, channels: number): void {
    const { rows, followers, index, channel } = this;
    const digits = 32 - Math.clz32(channels - 1);
    const end = channels * ROW;
    let row = 0;
    let known = ROW;
    let picked = rows[WANTED];
    index[0] = 0;
    channel[0] = 0;
    rows[FRAMES]++;
    for (let i = 1; i < count; i++) {
      const place = followers[i - 1];
      const front = row + 1;
      if (place < rows[row]) {
        const next = rows[front + place];
        rows[front + place] = rows[front];
        rows[front] = next;
        row = next;
      } else {
        if (place < KNOWN) throw malformedPayload('a frame follows none');
        let next = known;
        if (place === NEW) known += ROW;
        else next = Math.imul(plain.bits(digits), ROW);
        if (next >= known || next >= end) throw malformedPayload('a frame is of no channel');
        insert(rows, row, next);
        row = next;
      }
      rows[row + FRAMES]++;
      // Written in any case, and kept where it is wanted: a branch would cost more.
      index[picked] = i;
      channel[picked] = row;
      picked += rows[row + WANTED];
    }
    if (known < end) throw malformedPayload('a channel has no frames');
    this.count = picked;
  }

  private reserve(count: number, channels: number): void {
    if (this.followers.length < count) this.followers = new Uint8Array(2 * count);
    if (this.index.length <= count) {
      this.index = new Int32Array(2 * count + 1);
      this.channel = new Int32Array(2 * count + 1);
    }
    if (this.rows.length < channels * ROW) this.rows = new Int32Array(2 * channels * ROW);
  }

  private prepareRows(channels: number, placeOf: Int32Array): void {
    const { rows } = this;
    for (let i = 0; i < channels; i++) {
      rows[i * ROW] = 0;
      rows[i * ROW + FRAMES] = 0;
      rows[i * ROW + WANTED] = placeOf[i] < 0 ? 0 : 1;
    }
  }
}

/** Notes a channel that isn't in a row: at its front, whose channel moves to the end, where the last one falls out. */
function insert(rows: Int32Array, row: number, next: number): void {
  const held = rows[row];
  if (held < PLACES) rows[row] = held + 1;
  rows[row + (held < PLACES ? held + 1 : PLACES)] = rows[row + 1];
  rows[row + 1] = next;
}
