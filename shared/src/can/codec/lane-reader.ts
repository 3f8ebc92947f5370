import { malformedPayload } from '../../batch/payload.js';
import type { Channels } from './channels.js';
import {
  CHANGE,
  CONSTANT,
  CURVE,
  DISTANCE,
  FIRST_ONES,
  FIRST_OTHER,
  FIRST_REPEATED,
  FIRST_ZERO,
  kindContext,
  PLAIN,
  RECENT,
  RECENT_CHANGE,
  RECENT_VALUE,
  recentStart,
  SUM,
  WIDE,
} from './lane-kinds.js';
import { NumberColumns } from './numbers.js';
import { wordsOf } from './places.js';
import { SymbolColumns } from './symbol-columns.js';
import type { SymbolReader } from './symbol-reader.js';
import { CHANGES, FIRST, LANE, RANKS } from './tables.js';

/* A copy: V8 folds a module's own constants, not imported ones. */
const UNKNOWN = RECENT;

/** Reads the data of frames; lane-kinds.ts has the grammar. Reused from batch to batch. */
export class LaneReader {
  private readonly changes = new NumberColumns();
  private readonly ranks = new SymbolColumns();
  private readonly recent = new Uint8Array(RECENT);
  /** Of each lane of each channel, and what belongs to it: the other lane, or 1 for a summand. */
  private kinds = new Uint8Array(2048);
  private others = new Uint8Array(2048);
  private summands = new Uint8Array(2048);
  /** Where the next column is. */
  private changesAt = 0;
  private ranksAt = 0;
  /** Of each frame of one channel, the sum of the bytes that are added to a SUM lane. */
  private sums = new Uint8Array(1024);

  constructor(private readonly input: SymbolReader) {}

  /** `places` are in `data`, which has as many bytes as the channels' frames. */
  read(channels: Channels, places: Uint32Array, data: Uint8Array): void {
    const { input } = this;
    this.reserve(channels);
    this.changes.clear();
    this.ranks.clear();
    let from = 0;
    let lane = 0;
    for (let i = 0; i < channels.count; i++) {
      const frames = channels.frames[i];
      const lanes = channels.length[i];
      this.readFirst(data, places[from], lanes);
      if (frames > 1) this.readKinds(data, places[from], lane, lanes, frames - 1);
      from += frames;
      lane += lanes;
    }
    this.changes.read(input, CHANGES);
    this.ranks.read(input, RANKS);
    this.changesAt = 0;
    this.ranksAt = 0;
    const words = wordsOf(channels, data);
    from = 0;
    lane = 0;
    for (let i = 0; i < channels.count; i++) {
      const end = from + channels.frames[i];
      const lanes = channels.length[i];
      if (lanes > 0 && end - from > 1) this.fill(places, from, end, lane, lanes, data, words);
      from = end;
      lane += lanes;
    }
  }

  private reserve(channels: Channels): void {
    let lanes = 0;
    for (let i = 0; i < channels.count; i++) lanes += channels.length[i];
    if (lanes <= this.kinds.length) return;
    this.kinds = new Uint8Array(2 * lanes);
    this.others = new Uint8Array(2 * lanes);
    this.summands = new Uint8Array(2 * lanes);
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

  /** Reads the kinds of a channel's lanes, which are from `base` on, and makes room for their columns. */
  private readKinds(data: Uint8Array, first: number, base: number, lanes: number, length: number): void {
    const { input, kinds } = this;
    let sums = 0;
    for (let lane = 0; lane < lanes; lane++) {
      const kind = input.symbol(LANE + kindContext(data[first + lane]));
      if (kind > SUM) throw malformedPayload('a lane is of no kind');
      kinds[base + lane] = kind;
      if (kind === CHANGE || kind === CURVE || kind === DISTANCE) this.changes.add(length);
      else if (kind === RECENT_CHANGE || kind === RECENT_VALUE) this.ranks.add(length);
      else if (kind === SUM) sums++;
      if (kind !== WIDE) continue;
      this.changes.add(length);
      lane++;
      if (lane === lanes) throw malformedPayload('a wide lane has no second byte');
      kinds[base + lane] = WIDE;
    }
    for (let i = 0; i < sums; i++) this.changes.add(length);
    this.readOthers(base, lanes);
    if (sums > 1) throw malformedPayload('a channel has two sums');
    if (sums > 0) this.readSummands(base, lanes);
  }

  private readOthers(base: number, lanes: number): void {
    const { kinds, others } = this;
    for (let lane = 0; lane < lanes; lane++) {
      if (kinds[base + lane] !== DISTANCE) continue;
      const other = this.input.bits(6);
      if (other >= lane || kinds[base + other] === SUM)
        throw malformedPayload('a distance has no other lane');
      others[base + lane] = other;
    }
  }

  private readSummands(base: number, lanes: number): void {
    const { kinds, summands } = this;
    for (let i = base; i < base + lanes; i++) {
      summands[i] = kinds[i] === CONSTANT || kinds[i] === SUM ? 0 : this.input.bits(1);
    }
  }

  /** Fills in all frames of a channel but the first. */
  private fill(
    places: Uint32Array,
    from: number,
    end: number,
    base: number,
    lanes: number,
    data: Uint8Array,
    words: Uint32Array | undefined,
  ): void {
    const { kinds } = this;
    if (words) fillWords(places, from, end, lanes, words);
    for (let lane = 0; lane < lanes; lane++) {
      switch (kinds[base + lane]) {
        case CONSTANT:
          if (!words) fillLane(places, from, end, lane, data);
          break;
        case CHANGE:
          this.fillChanges(places, from, end, lane, data);
          break;
        case CURVE:
          this.fillCurve(places, from, end, lane, data);
          break;
        case RECENT_CHANGE:
          this.fillRecentChanges(places, from, end, lane, data);
          break;
        case RECENT_VALUE:
          this.fillRecentValues(places, from, end, lane, data);
          break;
        case WIDE:
          this.fillWide(places, from, end, lane, data);
          lane++;
          break;
        case PLAIN:
          for (let i = from + 1; i < end; i++) data[places[i] + lane] = this.input.bits(8);
          break;
        case DISTANCE:
          this.fillDistances(places, from, end, lane, this.others[base + lane], data);
          break;
        default: // SUM: behind the others, which it needs
      }
    }
    for (let lane = 0; lane < lanes; lane++) {
      if (kinds[base + lane] === SUM) this.fillSum(places, from, end, lane, base, lanes, data);
    }
  }

  private fillChanges(places: Uint32Array, from: number, end: number, lane: number, data: Uint8Array): void {
    const { values } = this.changes;
    let at = this.changesAt;
    let value = data[places[from] + lane];
    for (let i = from + 1; i < end; i++) {
      value = (value + values[at++]) | 0;
      data[places[i] + lane] = value;
    }
    this.changesAt = at;
  }

  private fillCurve(places: Uint32Array, from: number, end: number, lane: number, data: Uint8Array): void {
    const { values } = this.changes;
    let at = this.changesAt;
    let value = data[places[from] + lane];
    let change = 0;
    for (let i = from + 1; i < end; i++) {
      change = (change + values[at++]) | 0;
      value = (value + change) | 0;
      data[places[i] + lane] = value;
    }
    this.changesAt = at;
  }

  private fillDistances(
    places: Uint32Array,
    from: number,
    end: number,
    lane: number,
    other: number,
    data: Uint8Array,
  ): void {
    const { values } = this.changes;
    let at = this.changesAt;
    let distance = data[places[from] + lane] - data[places[from] + other];
    for (let i = from + 1; i < end; i++) {
      distance = (distance + values[at++]) | 0;
      data[places[i] + lane] = distance + data[places[i] + other];
    }
    this.changesAt = at;
  }

  private fillWide(places: Uint32Array, from: number, end: number, lane: number, data: Uint8Array): void {
    const { values } = this.changes;
    let at = this.changesAt;
    const first = places[from] + lane;
    let value = (data[first] << 8) | data[first + 1];
    for (let i = from + 1; i < end; i++) {
      value = (value + values[at++]) | 0;
      const to = places[i] + lane;
      data[to] = value >> 8;
      data[to + 1] = value;
    }
    this.changesAt = at;
  }

  private fillSum(
    places: Uint32Array,
    from: number,
    end: number,
    lane: number,
    base: number,
    lanes: number,
    data: Uint8Array,
  ): void {
    const frames = end - from;
    if (this.sums.length < frames) this.sums = new Uint8Array(2 * frames);
    const { sums, summands } = this;
    sums.fill(0, 0, frames);
    for (let other = 0; other < lanes; other++) {
      if (summands[base + other] === 0) continue;
      for (let i = 0; i < frames; i++) sums[i] += data[places[from + i] + other];
    }
    const { values } = this.changes;
    let at = this.changesAt;
    let sum = data[places[from] + lane] + sums[0];
    for (let i = 1; i < frames; i++) {
      sum = (sum + values[at++]) | 0;
      data[places[from + i] + lane] = sum - sums[i];
    }
    this.changesAt = at;
  }

  private fillRecentChanges(
    places: Uint32Array,
    from: number,
    end: number,
    lane: number,
    data: Uint8Array,
  ): void {
    const { recent } = this;
    recent.set(recentStart);
    let value = data[places[from] + lane];
    for (let i = from + 1; i < end; i++) {
      value = (value + this.takeRecent(recent)) & 0xff;
      data[places[i] + lane] = value;
    }
  }

  private fillRecentValues(
    places: Uint32Array,
    from: number,
    end: number,
    lane: number,
    data: Uint8Array,
  ): void {
    const { recent } = this;
    const first = data[places[from] + lane];
    for (let i = 0; i < RECENT; i++) recent[i] = first + recentStart[i];
    for (let i = from + 1; i < end; i++) data[places[i] + lane] = this.takeRecent(recent);
  }

  /** Undoes `moveToFront`. */
  private takeRecent(recent: Uint8Array): number {
    const rank = this.ranks.symbols[this.ranksAt++];
    if (rank > UNKNOWN) throw malformedPayload('a rank is too large');
    const value = rank === UNKNOWN ? this.input.bits(8) : recent[rank];
    for (let i = rank === UNKNOWN ? UNKNOWN - 1 : rank; i > 0; i--) recent[i] = recent[i - 1];
    recent[0] = value;
    return value;
  }
}

/** Copies the first frame's data to all frames of the channel. */
function fillWords(places: Uint32Array, from: number, end: number, lanes: number, words: Uint32Array): void {
  const first = places[from] >> 2;
  for (let word = 0; word < lanes >> 2; word++) {
    const value = words[first + word];
    for (let i = from + 1; i < end; i++) words[(places[i] >> 2) + word] = value;
  }
}

function fillLane(places: Uint32Array, from: number, end: number, lane: number, data: Uint8Array): void {
  const value = data[places[from] + lane];
  for (let i = from + 1; i < end; i++) data[places[i] + lane] = value;
}
