import { malformedPayload } from '../../batch/payload.js';
import type { SymbolReader } from './symbol-reader.js';
import type { SymbolWriter } from './symbol-writer.js';
import { FOLLOWER } from './tables.js';

/*
 * order    = { follower }             ; one per frame: its channel
 * follower = symbol [ index ]         ; 0 … 7 place among the channels that followed the one before, 8 another known one,
 *                                     ; 9 the next new one
 * index    = bits                     ; as many as the number of known channels less one has digits
 *
 * The bus repeats itself: what followed a channel lately follows it again. Where the latest follower isn't due yet by its
 * own period, places 0 and 1 are exchanged.
 */
const FOLLOWERS = 8;
const KNOWN = 8;
const NEW = 9;
/** Bits that the coder takes at once. */
const BITS_MAX = 15;
/* A copy: V8 folds a module's own constants, not imported ones, and the loops below run for each frame. */
const TABLE = FOLLOWER;

/*
 * What is known of a channel, as a row of integers side by side, because all are looked at for each frame. The row
 * behind those of the channels is that of the start.
 */
const ROW = 12;
/** Index of the channel's latest frame, -1 before the first. */
const LATEST = 0;
/** Running mean of the distance between its frames, in sixteenths; 0 where it was seen less than twice. */
const PERIOD = 1;
/** Index of the frame from which on the channel is due: 5/8 of its period behind its latest frame. */
const DUE = 2;
/** How many followers the row holds, and the followers, latest first. */
const HELD = 3;
const FIRST = 4;

/** Writes and reads the order of channels, which are numbered by first appearance. Reused from batch to batch. */
export class Order {
  private rows = new Int32Array(0);

  write(out: SymbolWriter, channelOf: Int32Array, count: number, channels: number): void {
    const rows = this.reset(channels);
    out.reserve(3 * count);
    let row = channels * ROW;
    let known = 0;
    for (let i = 0; i < count; i++) {
      const channel = channelOf[i];
      const start = row + FIRST;
      const held = rows[row + HELD];
      const swap = held > 1 ? isEarly(rows, rows[start], i) : 0;
      const table = held > 0 ? TABLE + phase(rows, rows[start + swap], i) : TABLE;
      const place = find(rows, start, held, channel);
      if (place < held) {
        out.symbol(table, place < 2 ? place ^ swap : place);
      } else if (channel === known) {
        out.symbol(table, NEW);
        known++;
      } else {
        out.symbol(table, KNOWN);
        writeIndex(out, channel, known);
      }
      row = note(rows, row, place, channel, i);
    }
  }

  /** Each channel appears at least once in what it reads. */
  read(input: SymbolReader, channelOf: Int32Array, count: number, channels: number): void {
    const rows = this.reset(channels);
    let row = channels * ROW;
    let known = 0;
    for (let i = 0; i < count; i++) {
      const start = row + FIRST;
      const held = rows[row + HELD];
      let table = TABLE;
      let channel = 0;
      let place = 0;
      if (held > 0) {
        channel = rows[start];
        if (held > 1 && rows[channel * ROW + DUE] > i) {
          place = 1;
          channel = rows[start + 1];
        }
        table += phase(rows, channel, i);
      }
      const symbol = input.symbol(table);
      // The likeliest has a branch of its own, so that the processor goes on with it before the symbol is known.
      if (symbol !== 0 || held === 0) {
        if (symbol < FOLLOWERS) {
          place = symbol === 1 ? 1 - place : symbol;
          if (place >= held) throw malformedPayload('a frame follows none');
          channel = rows[start + place];
        } else if (symbol === KNOWN) {
          channel = readIndex(input, known);
          place = find(rows, start, held, channel);
        } else {
          if (symbol !== NEW || known === channels) throw malformedPayload('a frame is of no channel');
          channel = known++;
          place = held;
        }
      }
      channelOf[i] = channel;
      row = note(rows, row, place, channel, i);
    }
    if (known < channels) throw malformedPayload('a channel has no frames');
  }

  private reset(channels: number): Int32Array {
    const length = (channels + 1) * ROW;
    if (this.rows.length < length) this.rows = new Int32Array(length + (length >> 2));
    const { rows } = this;
    for (let row = 0; row < length; row += ROW) {
      rows[row + LATEST] = -1;
      rows[row + PERIOD] = 0;
      rows[row + HELD] = 0;
    }
    return rows;
  }
}

/** 1 where the channel isn't due for frame `i`, else 0. */
const isEarly = (rows: Int32Array, channel: number, i: number): number =>
  (i - rows[channel * ROW + DUE]) >>> 31;

/** How sure it is that a channel comes now: 1 its period is unknown, 2 not due, 3 early, 4 on time, 5 late. */
function phase(rows: Int32Array, channel: number, i: number): number {
  const row = channel * ROW;
  const period = rows[row + PERIOD];
  if (period === 0) return 1;
  const late = i - rows[row + LATEST] - (period >> 4);
  const tolerance = period >> 7;
  // 5, less one where not late, less one where early, less one where not due: signs instead of branches, which nobody
  // could predict.
  return 5 + ((late - tolerance - 1) >> 31) + ((late + tolerance) >> 31) + ((i - rows[row + DUE]) >> 31);
}

/** The place of a channel among those that a row holds; `held` where it isn't there. */
function find(rows: Int32Array, start: number, held: number, channel: number): number {
  let place = 0;
  while (place < held && rows[start + place] !== channel) place++;
  return place;
}

/**
 * Notes that frame `i` is of `channel`, which is at `place` in the row of the frame before, or behind what that holds
 * where it is none of it. Returns the channel's row.
 */
function note(rows: Int32Array, row: number, place: number, channel: number, i: number): number {
  const start = row + FIRST;
  let from = start + place;
  if (place === rows[row + HELD]) {
    if (place === FOLLOWERS) from--;
    else rows[row + HELD] = place + 1;
  }
  for (; from > start; from--) rows[from] = rows[from - 1];
  rows[start] = channel;
  const own = channel * ROW;
  const latest = rows[own + LATEST];
  rows[own + LATEST] = i;
  let period = 0;
  if (latest >= 0) {
    const distance = (i - latest) << 4;
    period = rows[own + PERIOD];
    period = period === 0 ? distance : period + ((distance - period) >> 2);
    rows[own + PERIOD] = period;
  }
  rows[own + DUE] = i + ((period * 5) >> 7);
  return own;
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
