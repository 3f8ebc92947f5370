import { malformedPayload } from '../../batch/payload.js';
import { FRAME_DATA_BYTES_MAX } from '../frames.js';
import type { Channels } from './channels.js';
import { LaneChoice, moveToFront } from './lane-choice.js';
import {
  CHANGE,
  CONSTANT,
  CURVE,
  DISTANCE,
  LANE_KINDS,
  PLAIN,
  RECENT,
  recentStart,
  RECENT_CHANGE,
  RECENT_VALUE,
  SUM,
  WIDE,
} from './lane-kinds.js';
import { NumberColumn } from './numbers.js';
import { rankSizes } from './scaled-symbols.js';
import type { SymbolReader } from './symbol-reader.js';
import type { SymbolWriter } from './symbol-writer.js';
import { CHANGES, FIRST, LANE, RANKS } from './tables.js';

/*
 * data  = { lanes }                   ; one for each channel whose frames have data
 * lanes = { first } [ { kind } { lane } ]
 * first = symbol                      ; of each lane, the byte of the channel's first frame: 0 it is 0, 1 it is 255,
 *                                     ; 2 it is that of the lane before, 3 followed by 8 bits
 * kind  = symbol                      ; of each lane, where the channel has several frames; WIDE covers two lanes
 * lane  = …                           ; of each lane that isn't CONSTANT, those of kind SUM behind all others
 */
/* A copy: V8 folds a module's own constants, not imported ones, and the loops below run for each byte. */
const UNKNOWN = RECENT;
const FIRST_ZERO = 0;
const FIRST_ONES = 1;
const FIRST_REPEATED = 2;
const FIRST_OTHER = 3;

/** Where the data of each channel's frames start, channel by channel. Reused from batch to batch. */
export class Places {
  /** Start of each frame's data. */
  dataStart = new Uint32Array(0);
  private next = new Int32Array(0);

  sort(channels: Channels, channelOf: Int32Array, dataStart: Uint32Array, count: number): void {
    if (this.dataStart.length < count) this.dataStart = new Uint32Array(count);
    if (this.next.length < channels.count) this.next = new Int32Array(channels.id.length);
    const { next, dataStart: sorted } = this;
    let start = 0;
    for (let i = 0; i < channels.count; i++) {
      next[i] = start;
      start += channels.frames[i];
    }
    for (let i = 0; i < count; i++) sorted[next[channelOf[i]]++] = dataStart[i];
  }
}

export class LaneWriter {
  private readonly choice = new LaneChoice();
  private readonly recent = new Uint8Array(RECENT);
  private readonly numbers = new NumberColumn();
  private columns = new Uint8Array(64 * 1024);
  private ranks = new Uint8Array(1024);

  constructor(private readonly out: SymbolWriter) {}

  write(channels: Channels, places: Uint32Array, data: Uint8Array): void {
    let from = 0;
    for (let i = 0; i < channels.count; i++) {
      const frames = channels.frames[i];
      const lanes = channels.length[i];
      if (lanes > 0) this.writeChannel(places, from, frames, lanes, data);
      from += frames;
    }
  }

  private writeChannel(
    places: Uint32Array,
    from: number,
    frames: number,
    lanes: number,
    data: Uint8Array,
  ): void {
    const { out } = this;
    out.reserve(lanes * (4 * frames + FRAME_DATA_BYTES_MAX + 4));
    this.numbers.reserve(frames);
    if (this.ranks.length < frames) this.ranks = new Uint8Array(2 * frames);
    this.writeFirst(data, places[from], lanes);
    if (frames === 1) return;
    this.transpose(places, from, frames, lanes, data);
    const { columns, choice } = this;
    const { kind } = choice;
    choice.choose(columns, frames, lanes);
    for (let lane = 0; lane < lanes; lane++) {
      const first = columns[lane * frames];
      out.symbol(LANE + (first === 0 ? 0 : first === 255 ? 1 : 2), kind[lane]);
      if (kind[lane] === WIDE) lane++;
    }
    for (let lane = 0; lane < lanes; lane++) {
      const start = lane * frames;
      const end = start + frames;
      switch (kind[lane]) {
        case CHANGE:
          this.writeChange(start, end);
          break;
        case CURVE:
          this.writeCurve(start, end);
          break;
        case RECENT_CHANGE:
          this.writeRecentChange(start, end);
          break;
        case RECENT_VALUE:
          this.writeRecentValue(start, end);
          break;
        case WIDE:
          this.writeWide(start, frames);
          lane++;
          break;
        case PLAIN:
          for (let i = start + 1; i < end; i++) out.bits(columns[i], 8);
          break;
        case DISTANCE:
          out.bits(choice.other[lane], 6);
          this.writeDistance(start, end, (choice.other[lane] - lane) * frames);
          break;
        default:
      }
    }
    for (let lane = 0; lane < lanes; lane++) if (kind[lane] === SUM) this.writeSum(lane, frames, lanes);
  }

  private writeFirst(data: Uint8Array, start: number, lanes: number): void {
    const { out } = this;
    let before = 0;
    let table = FIRST;
    for (let i = start; i < start + lanes; i++) {
      const value = data[i];
      const symbol =
        value === 0
          ? FIRST_ZERO
          : value === 255
            ? FIRST_ONES
            : value === before
              ? FIRST_REPEATED
              : FIRST_OTHER;
      out.symbol(table, symbol);
      if (symbol === FIRST_OTHER) out.bits(value, 8);
      table = FIRST + symbol;
      before = value;
    }
  }

  /** Fills `columns` with the lanes one after the other, and marks those that are constant. */
  private transpose(
    places: Uint32Array,
    from: number,
    frames: number,
    lanes: number,
    data: Uint8Array,
  ): void {
    if (this.columns.length < frames * lanes) this.columns = new Uint8Array(2 * frames * lanes);
    const { columns } = this;
    const { kind } = this.choice;
    for (let lane = 0; lane < lanes; lane++) {
      const start = lane * frames;
      const first = data[places[from] + lane];
      let different = 0;
      for (let i = 0; i < frames; i++) {
        const value = data[places[from + i] + lane];
        columns[start + i] = value;
        different |= value ^ first;
      }
      kind[lane] = different === 0 ? CONSTANT : CHANGE;
    }
  }

  private writeChange(start: number, end: number): void {
    const { columns } = this;
    const { values } = this.numbers;
    for (let i = start + 1, to = 0; i < end; i++, to++) values[to] = signedByte(columns[i] - columns[i - 1]);
    this.numbers.write(this.out, CHANGES, end - start - 1);
  }

  private writeCurve(start: number, end: number): void {
    const { columns } = this;
    const { values } = this.numbers;
    let before = 0;
    for (let i = start + 1, to = 0; i < end; i++, to++) {
      const change = columns[i] - columns[i - 1];
      values[to] = signedByte(change - before);
      before = change;
    }
    this.numbers.write(this.out, CHANGES, end - start - 1);
  }

  private writeDistance(start: number, end: number, other: number): void {
    const { columns } = this;
    const { values } = this.numbers;
    let before = columns[start] - columns[start + other];
    for (let i = start + 1, to = 0; i < end; i++, to++) {
      const distance = columns[i] - columns[i + other];
      values[to] = signedByte(distance - before);
      before = distance;
    }
    this.numbers.write(this.out, CHANGES, end - start - 1);
  }

  private writeRecentChange(start: number, end: number): void {
    const { columns, ranks, recent } = this;
    recent.set(recentStart);
    for (let i = start + 1, to = 0; i < end; i++, to++) {
      ranks[to] = moveToFront(recent, (columns[i] - columns[i - 1]) & 0xff);
    }
    this.out.scaled(RANKS, rankSizes, ranks, end - start - 1);
    for (let i = start + 1, from = 0; i < end; i++, from++) {
      if (ranks[from] === UNKNOWN) this.out.bits((columns[i] - columns[i - 1]) & 0xff, 8);
    }
  }

  private writeRecentValue(start: number, end: number): void {
    const { columns, ranks, recent } = this;
    for (let i = 0; i < RECENT; i++) recent[i] = columns[start] + recentStart[i];
    for (let i = start + 1, to = 0; i < end; i++, to++) ranks[to] = moveToFront(recent, columns[i]);
    this.out.scaled(RANKS, rankSizes, ranks, end - start - 1);
    for (let i = start + 1, from = 0; i < end; i++, from++) {
      if (ranks[from] === UNKNOWN) this.out.bits(columns[i], 8);
    }
  }

  private writeWide(start: number, frames: number): void {
    const { columns } = this;
    const { values } = this.numbers;
    let before = (columns[start] << 8) | columns[start + frames];
    for (let i = start + 1, to = 0; to < frames - 1; i++, to++) {
      const value = (columns[i] << 8) | columns[i + frames];
      values[to] = ((value - before) << 16) >> 16;
      before = value;
    }
    this.numbers.write(this.out, CHANGES, frames - 1);
  }

  private writeSum(lane: number, frames: number, lanes: number): void {
    const { out, columns, choice } = this;
    const { values } = this.numbers;
    const start = lane * frames;
    for (let i = 1; i < frames; i++) values[i - 1] = columns[start + i] - columns[start + i - 1];
    for (let other = 0; other < lanes; other++) {
      if (choice.kind[other] === CONSTANT || choice.kind[other] === SUM) continue;
      out.bits(choice.isSummand[other], 1);
      if (choice.isSummand[other] === 0) continue;
      const from = other * frames;
      for (let i = 1; i < frames; i++) values[i - 1] += columns[from + i] - columns[from + i - 1];
    }
    for (let i = 0; i < frames - 1; i++) values[i] = signedByte(values[i]);
    this.numbers.write(out, CHANGES, frames - 1);
  }
}

/** A difference modulo 256, between -128 and 127. */
const signedByte = (difference: number): number => (difference << 24) >> 24;

export class LaneReader {
  private readonly kind = new Uint8Array(FRAME_DATA_BYTES_MAX);
  private readonly numbers = new NumberColumn();
  private readonly recent = new Uint8Array(RECENT);
  private ranks = new Uint8Array(1024);
  private sums = new Uint8Array(1024);

  constructor(private readonly input: SymbolReader) {}

  read(channels: Channels, places: Uint32Array, data: Uint8Array): void {
    let from = 0;
    for (let i = 0; i < channels.count; i++) {
      const end = from + channels.frames[i];
      const lanes = channels.length[i];
      if (lanes > 0) this.readChannel(places, from, end, lanes, data);
      from = end;
    }
  }

  private readChannel(places: Uint32Array, from: number, end: number, lanes: number, data: Uint8Array): void {
    this.readFirst(data, places[from], lanes);
    if (end - from === 1) return;
    const { kind, input } = this;
    const first = places[from];
    for (let lane = 0; lane < lanes; lane++) {
      const value = data[first + lane];
      const symbol = input.symbol(LANE + (value === 0 ? 0 : value === 255 ? 1 : 2));
      if (symbol >= LANE_KINDS) throw malformedPayload('a lane is of no kind');
      kind[lane] = symbol;
      if (symbol !== WIDE) continue;
      lane++;
      if (lane === lanes) throw malformedPayload('a wide lane has no second byte');
      kind[lane] = WIDE;
    }
    for (let lane = 0; lane < lanes; lane++) {
      switch (kind[lane]) {
        case CONSTANT:
          fillLane(places, from, end, lane, data);
          break;
        case CHANGE:
          this.readChange(places, from, end, lane, data);
          break;
        case CURVE:
          this.readCurve(places, from, end, lane, data);
          break;
        case RECENT_CHANGE:
          this.readRecentChange(places, from, end, lane, data);
          break;
        case RECENT_VALUE:
          this.readRecentValue(places, from, end, lane, data);
          break;
        case WIDE:
          this.readWide(places, from, end, lane, data);
          lane++;
          break;
        case PLAIN:
          for (let i = from + 1; i < end; i++) data[places[i] + lane] = input.bits(8);
          break;
        case DISTANCE:
          this.readDistance(places, from, end, lane, data);
          break;
        default:
      }
    }
    for (let lane = 0; lane < lanes; lane++) {
      if (kind[lane] === SUM) this.readSum(places, from, end, lane, lanes, data);
    }
  }

  private readFirst(data: Uint8Array, start: number, lanes: number): void {
    const { input } = this;
    let value = 0;
    let table = FIRST;
    for (let i = start; i < start + lanes; i++) {
      const symbol = input.symbol(table);
      if (symbol === FIRST_ZERO) value = 0;
      else if (symbol === FIRST_ONES) value = 255;
      else if (symbol === FIRST_OTHER) value = input.bits(8);
      else if (symbol !== FIRST_REPEATED) throw malformedPayload('a lane has no first byte');
      data[i] = value;
      table = FIRST + symbol;
    }
  }

  private readChange(places: Uint32Array, from: number, end: number, lane: number, data: Uint8Array): void {
    const values = this.readNumbers(end - from - 1);
    let value = data[places[from] + lane];
    for (let i = from + 1, at = 0; i < end; i++, at++) {
      value = (value + values[at]) | 0;
      data[places[i] + lane] = value;
    }
  }

  private readCurve(places: Uint32Array, from: number, end: number, lane: number, data: Uint8Array): void {
    const values = this.readNumbers(end - from - 1);
    let value = data[places[from] + lane];
    let change = 0;
    for (let i = from + 1, at = 0; i < end; i++, at++) {
      change = (change + values[at]) | 0;
      value = (value + change) | 0;
      data[places[i] + lane] = value;
    }
  }

  private readDistance(places: Uint32Array, from: number, end: number, lane: number, data: Uint8Array): void {
    const other = this.input.bits(6);
    if (other >= lane || this.kind[other] === SUM)
      throw malformedPayload('a lane refers to one not yet read');
    const values = this.readNumbers(end - from - 1);
    let distance = data[places[from] + lane] - data[places[from] + other];
    for (let i = from + 1, at = 0; i < end; i++, at++) {
      distance = (distance + values[at]) | 0;
      data[places[i] + lane] = distance + data[places[i] + other];
    }
  }

  private readRecentChange(
    places: Uint32Array,
    from: number,
    end: number,
    lane: number,
    data: Uint8Array,
  ): void {
    const { input, recent } = this;
    const ranks = this.readRanks(end - from - 1);
    recent.set(recentStart);
    let value = data[places[from] + lane];
    for (let i = from + 1, at = 0; i < end; i++, at++) {
      value = (value + takeRecent(input, recent, ranks[at])) & 0xff;
      data[places[i] + lane] = value;
    }
  }

  private readRecentValue(
    places: Uint32Array,
    from: number,
    end: number,
    lane: number,
    data: Uint8Array,
  ): void {
    const { input, recent } = this;
    const ranks = this.readRanks(end - from - 1);
    const first = data[places[from] + lane];
    for (let i = 0; i < RECENT; i++) recent[i] = first + recentStart[i];
    for (let i = from + 1, at = 0; i < end; i++, at++) {
      data[places[i] + lane] = takeRecent(input, recent, ranks[at]);
    }
  }

  private readWide(places: Uint32Array, from: number, end: number, lane: number, data: Uint8Array): void {
    const values = this.readNumbers(end - from - 1);
    const first = places[from] + lane;
    let value = (data[first] << 8) | data[first + 1];
    for (let i = from + 1, at = 0; i < end; i++, at++) {
      value = (value + values[at]) | 0;
      const to = places[i] + lane;
      data[to] = value >> 8;
      data[to + 1] = value;
    }
  }

  private readSum(
    places: Uint32Array,
    from: number,
    end: number,
    lane: number,
    lanes: number,
    data: Uint8Array,
  ): void {
    const frames = end - from;
    if (this.sums.length < frames) this.sums = new Uint8Array(2 * frames);
    const { sums, kind } = this;
    sums.fill(0, 0, frames);
    for (let other = 0; other < lanes; other++) {
      if (kind[other] === CONSTANT || kind[other] === SUM || this.input.bits(1) === 0) continue;
      for (let i = 0; i < frames; i++) sums[i] += data[places[from + i] + other];
    }
    const values = this.readNumbers(frames - 1);
    let sum = data[places[from] + lane] + sums[0];
    for (let i = 1; i < frames; i++) {
      sum = (sum + values[i - 1]) | 0;
      data[places[from + i] + lane] = sum - sums[i];
    }
  }

  private readNumbers(count: number): Int32Array {
    this.numbers.read(this.input, CHANGES, count);
    return this.numbers.values;
  }

  private readRanks(count: number): Uint8Array {
    if (this.ranks.length < count) this.ranks = new Uint8Array(2 * count);
    this.input.scaled(RANKS, rankSizes, this.ranks, count);
    return this.ranks;
  }
}

function fillLane(places: Uint32Array, from: number, end: number, lane: number, data: Uint8Array): void {
  const value = data[places[from] + lane];
  for (let i = from + 1; i < end; i++) data[places[i] + lane] = value;
}

/** Undoes `moveToFront`: the value at a rank, or one that follows as bits. */
function takeRecent(input: SymbolReader, recent: Uint8Array, rank: number): number {
  let value: number;
  if (rank < UNKNOWN) value = recent[rank];
  else if (rank === UNKNOWN) value = input.bits(8);
  else throw malformedPayload('a rank is too large');
  for (let i = rank < UNKNOWN ? rank : UNKNOWN - 1; i > 0; i--) recent[i] = recent[i - 1];
  recent[0] = value;
  return value;
}
