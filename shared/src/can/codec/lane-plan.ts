import { malformedPayload } from '../../batch/payload.js';
import type { BitReader } from './bit-reader.js';
import type { Channels } from './channels.js';
import {
  CONSTANT,
  DISTANCE,
  FIRST_ONES,
  FIRST_OTHER,
  FIRST_SYMBOLS,
  FIRST_ZERO,
  kindOf,
  LANE_SYMBOLS,
  levelOf,
  PLAIN,
  RARE,
  RARITY,
  RECENT,
  RECENT_CHANGE,
  SUM,
  WIDE,
} from './lane-kinds.js';
import { NumberColumn, unzigzag } from './numbers.js';
import { resized } from './resized.js';
import { CHANGES, FIRST, LANE, LEVELS, RANK_LEVELS, RANKS } from './tables.js';
import type { SymbolReader } from './symbol-reader.js';

/** Ranks, and one for those that have none. */
const RANK_SYMBOLS = RECENT + 1;

/** Ranks on their way from symbols. */
class RankColumn {
  values = new Uint8Array(4096);
  count = 0;
}

/** What is told of the lanes before the first of the last bytes (lane-kinds.ts). Reused from batch to batch. */
export class LanePlan {
  /** Of each lane of each channel that has several frames; both lanes of a pair are WIDE. */
  kinds = new Uint8Array(2048);
  levels = new Uint8Array(2048);
  /** Of DISTANCE lanes: the other lane. */
  others = new Uint8Array(2048);
  /** 1 for each lane that is added to its channel's SUM lane. */
  summands = new Uint8Array(2048);
  /** Of RARE lanes: count, and gap and difference of each change. */
  events = new Int32Array(1024);
  readonly changes = Array.from({ length: LEVELS }, () => new NumberColumn());
  readonly ranks = Array.from({ length: RANK_LEVELS }, () => new RankColumn());
  private eventCount = 0;

  constructor(
    private readonly input: SymbolReader,
    private readonly bits: BitReader,
  ) {}

  /** Stores the bytes of the channels' first frames, too. `data` has as many bytes as the channels' frames. */
  read(channels: Channels, places: Uint32Array, data: Uint8Array): void {
    const { input, bits, changes, ranks } = this;
    for (const column of changes) column.count = 0;
    for (const column of ranks) column.count = 0;
    this.eventCount = 0;
    this.readFirsts(channels, places, data);
    this.readKinds(channels);
    for (let level = 0; level < LEVELS; level++) changes[level].read(input, CHANGES + level, bits);
    for (let level = 0; level < RANK_LEVELS; level++) {
      const column = ranks[level];
      if (column.values.length < column.count) column.values = new Uint8Array(2 * column.count);
      input.column(RANKS + level, RANK_SYMBOLS, column.values, column.count);
    }
  }

  private readFirsts(channels: Channels, places: Uint32Array, data: Uint8Array): void {
    const { bits } = this;
    let lanes = 0;
    for (let i = 0; i < channels.count; i++) lanes += channels.length[i];
    if (lanes > this.kinds.length) {
      this.kinds = new Uint8Array(2 * lanes);
      this.levels = new Uint8Array(2 * lanes);
      this.others = new Uint8Array(2 * lanes);
      this.summands = new Uint8Array(2 * lanes);
    }
    const firsts = this.kinds; // those aren't known yet
    this.input.column(FIRST, FIRST_SYMBOLS, firsts, lanes);
    let value = 0;
    let from = 0;
    let lane = 0;
    for (let i = 0; i < channels.count; i++) {
      const start = places[from];
      const end = start + channels.length[i];
      for (let at = start; at < end; at++) {
        const first = firsts[lane++];
        if (first === FIRST_ZERO) value = 0;
        else if (first === FIRST_ONES) value = 255;
        else if (first === FIRST_OTHER) value = bits.bits(8);
        data[at] = value;
      }
      from += channels.frames[i];
    }
  }

  /** Reads the kinds of all lanes and their details, and makes room for their columns. */
  private readKinds(channels: Channels): void {
    const { kinds, levels } = this;
    let count = 0;
    for (let i = 0; i < channels.count; i++) if (channels.frames[i] > 1) count += channels.length[i];
    this.input.column(LANE, LANE_SYMBOLS, kinds, count);
    for (let i = 0; i < count; i++) {
      const symbol = kinds[i];
      kinds[i] = kindOf[symbol];
      levels[i] = levelOf[symbol];
    }
    let base = 0;
    for (let i = 0; i < channels.count; i++) {
      if (channels.frames[i] === 1) continue;
      this.readDetails(base, channels.length[i], channels.frames[i] - 1);
      base += channels.length[i];
    }
    base = 0;
    for (let i = 0; i < channels.count; i++) {
      if (channels.frames[i] === 1) continue;
      const end = base + channels.length[i];
      for (; base < end; base++) if (kinds[base] === RARE) this.readEvents(channels.frames[i]);
    }
  }

  private readDetails(base: number, lanes: number, length: number): void {
    const { bits, kinds, levels, others, summands, changes, ranks } = this;
    let sum = -1;
    for (let lane = 0; lane < lanes; lane++) {
      const kind = kinds[base + lane];
      if (kind <= PLAIN) continue;
      const level = levels[base + lane];
      if (kind >= RECENT_CHANGE) {
        ranks[level].count += length;
        continue;
      }
      changes[level].count += length;
      if (kind === SUM) {
        if (sum >= 0) throw malformedPayload('a channel has two sums');
        sum = lane;
      } else if (kind === DISTANCE) {
        const other = bits.bits(6);
        if (other >= lane || kinds[base + other] === SUM)
          throw malformedPayload('a distance has no other lane');
        others[base + lane] = other;
      } else if (kind === WIDE) {
        lane++;
        if (lane === lanes || kinds[base + lane] !== CONSTANT) throw malformedPayload('a wide lane is alone');
        kinds[base + lane] = WIDE;
      }
    }
    if (sum < 0) return;
    for (let i = base; i < base + lanes; i++) {
      summands[i] = kinds[i] === CONSTANT || kinds[i] === SUM ? 0 : bits.bits(1);
    }
  }

  private readEvents(frames: number): void {
    const { bits } = this;
    const count = bits.number();
    if (count === 0 || count * RARITY > frames) throw malformedPayload('a lane changes too often or never');
    if (this.eventCount + 2 * count + 1 > this.events.length) {
      this.events = resized(this.events, new Int32Array(2 * (this.eventCount + 2 * count + 1)));
    }
    const { events } = this;
    let at = this.eventCount;
    events[at++] = count;
    let left = frames - 1;
    for (let i = 0; i < count; i++) {
      const gap = bits.number();
      left -= gap + 1;
      if (left < 0) throw malformedPayload('a lane changes behind its last frame');
      events[at++] = gap;
      events[at++] = unzigzag(bits.number());
    }
    this.eventCount = at;
  }
}
