import { malformedPayload } from '../../batch/payload.js';
import type { BitReader } from '../codec/bit-reader.js';
import type { Channels } from '../codec/channels.js';
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
} from '../codec/lane-kinds.js';
import { LanePlan } from '../codec/lane-plan.js';
import { unzigzag } from '../codec/numbers.js';
import { resized } from '../codec/resized.js';
import type { SymbolReader } from '../codec/symbol-reader.js';
import { CHANGES, FIRST, LANE, LEVELS, RANK_LEVELS, RANKS } from '../codec/tables.js';
import { ColumnParts } from './column-parts.js';
import { skip } from './skip.js';

/** Of a lane whose bytes stand at the payload's end: a PLAIN one; else the level of its ranks. */
const AS_IT_IS = RANK_LEVELS;

/**
 * The plan of some channels' lanes, read out of that of all. What it holds afterwards is what `LanePlan` would hold if
 * the batch had no other channels.
 */
export class PartialPlan extends LanePlan {
  private readonly changeParts = Array.from({ length: LEVELS }, () => new ColumnParts());
  private readonly rankParts = Array.from({ length: RANK_LEVELS }, () => new ColumnParts());
  private readonly rankSymbols = Array.from({ length: RANK_LEVELS }, () => new Uint8Array(0));
  /** Of each lane with bytes at the end: rank level or AS_IT_IS, where its ranks start, how many, whether it is wanted. */
  private ended = new Int32Array(1024);
  private endedCount = 0;
  private symbolsOf = new Uint8Array(4096);
  private heldEvents = 0;
  private bytes = new Uint8Array(1024);

  constructor(
    private readonly coded: SymbolReader,
    private readonly plain: BitReader,
  ) {
    super(coded, plain);
  }

  /**
   * Reads on behind the times. Stores the bytes of the chosen channels' first frames, whose places are given channel by
   * channel. Returns the bytes that their other frames need from the payload's end.
   */
  readChosen(
    all: Channels,
    chosen: Channels,
    placeOf: Int32Array,
    places: Uint32Array,
    data: Uint8Array,
  ): Uint8Array {
    for (const part of this.changeParts) part.clear();
    for (const part of this.rankParts) part.clear();
    this.endedCount = 0;
    this.heldEvents = 0;
    this.readFirstBytes(all, chosen, placeOf, places, data);
    this.readLanes(all, placeOf);
    const isWithRanks = this.hasChosenEnd();
    const last = isWithRanks ? LEVELS - 1 : this.changeParts.findLastIndex(({ wanted }) => wanted > 0);
    for (let level = 0; level <= last; level++) {
      this.changeParts[level].readNumbers(this.coded, CHANGES + level, this.plain, this.changes[level]);
    }
    return isWithRanks ? this.readEnd() : this.bytes.subarray(0, 0);
  }

  private readFirstBytes(
    all: Channels,
    chosen: Channels,
    placeOf: Int32Array,
    places: Uint32Array,
    data: Uint8Array,
  ): void {
    const { plain } = this;
    let lanes = 0;
    for (let i = 0; i < all.count; i++) lanes += all.length[i];
    this.reserveLanes(lanes);
    const firsts = this.symbolsOf;
    this.coded.column(FIRST, FIRST_SYMBOLS, firsts, lanes);
    let value = 0;
    let lane = 0;
    let from = 0;
    for (let i = 0; i < all.count; i++) {
      const isChosen = placeOf[i] >= 0;
      const to = isChosen ? places[from] : 0;
      for (let k = 0; k < all.length[i]; k++) {
        const first = firsts[lane++];
        if (first === FIRST_ZERO) value = 0;
        else if (first === FIRST_ONES) value = 255;
        else if (first === FIRST_OTHER) value = plain.bits(8);
        if (isChosen) data[to + k] = value;
      }
      if (isChosen) from += chosen.frames[placeOf[i]];
    }
  }

  private reserveLanes(lanes: number): void {
    if (this.symbolsOf.length < lanes) this.symbolsOf = new Uint8Array(2 * lanes);
    if (this.kinds.length >= lanes) return;
    this.kinds = new Uint8Array(2 * lanes);
    this.levels = new Uint8Array(2 * lanes);
    this.others = new Uint8Array(2 * lanes);
    this.summands = new Uint8Array(2 * lanes);
  }

  /** The kinds of all lanes and their details; those of the chosen ones are kept. */
  private readLanes(all: Channels, placeOf: Int32Array): void {
    const { symbolsOf } = this;
    let count = 0;
    for (let i = 0; i < all.count; i++) if (all.frames[i] > 1) count += all.length[i];
    this.coded.column(LANE, LANE_SYMBOLS, symbolsOf, count);
    let from = 0;
    let base = 0;
    for (let i = 0; i < all.count; i++) {
      if (all.frames[i] === 1) continue;
      const lanes = all.length[i];
      const isChosen = placeOf[i] >= 0;
      this.readDetailsOf(from, base, lanes, all.frames[i] - 1, isChosen);
      from += lanes;
      if (isChosen) base += lanes;
    }
    from = 0;
    for (let i = 0; i < all.count; i++) {
      if (all.frames[i] === 1) continue;
      for (const end = from + all.length[i]; from < end; from++) {
        if (kindOf[symbolsOf[from]] === RARE) this.readEventsOf(all.frames[i], placeOf[i] >= 0);
      }
    }
  }

  /** Of one channel, whose lanes' symbols start at `from`; kept from `base` on where it is chosen. */
  private readDetailsOf(from: number, base: number, lanes: number, length: number, isChosen: boolean): void {
    const { plain, symbolsOf, kinds, levels, others, summands } = this;
    let sum = -1;
    for (let lane = 0; lane < lanes; lane++) {
      const symbol = symbolsOf[from + lane];
      const kind = kindOf[symbol];
      const level = levelOf[symbol];
      if (isChosen) {
        kinds[base + lane] = kind;
        levels[base + lane] = level;
      }
      if (kind < PLAIN) continue;
      if (kind === PLAIN) this.addEnd(AS_IT_IS, 0, length, isChosen);
      else if (kind >= RECENT_CHANGE) {
        this.addEnd(level, this.rankParts[level].add(length, isChosen), length, isChosen);
      } else if (kind === SUM) {
        if (sum >= 0) throw malformedPayload('a channel has two sums');
        sum = lane;
      } else {
        this.changeParts[level].add(length, isChosen);
        if (kind === DISTANCE) {
          const other = plain.bits(6);
          if (other >= lane || kindOf[symbolsOf[from + other]] === SUM)
            throw malformedPayload('a distance has no other lane');
          if (isChosen) others[base + lane] = other;
        } else if (kind === WIDE) {
          lane++;
          if (lane === lanes || kindOf[symbolsOf[from + lane]] !== CONSTANT)
            throw malformedPayload('a wide lane is alone');
          symbolsOf[from + lane] = symbol;
          if (isChosen) kinds[base + lane] = WIDE;
        }
      }
    }
    if (sum < 0) return;
    this.changeParts[levelOf[symbolsOf[from + sum]]].add(length, isChosen);
    for (let lane = 0; lane < lanes; lane++) {
      const kind = kindOf[symbolsOf[from + lane]];
      const bit = kind === CONSTANT || kind === SUM ? 0 : plain.bits(1);
      if (isChosen) summands[base + lane] = bit;
    }
  }

  private readEventsOf(frames: number, isChosen: boolean): void {
    const { plain } = this;
    const count = plain.number();
    if (count === 0 || count * RARITY > frames) throw malformedPayload('a lane changes too often or never');
    const needed = this.heldEvents + 2 * count + 1;
    if (isChosen && needed > this.events.length) {
      this.events = resized(this.events, new Int32Array(2 * needed));
    }
    const { events } = this;
    let at = this.heldEvents;
    if (isChosen) events[at++] = count;
    let left = frames - 1;
    for (let i = 0; i < count; i++) {
      const gap = plain.number();
      const step = unzigzag(plain.number());
      left -= gap + 1;
      if (left < 0) throw malformedPayload('a lane changes behind its last frame');
      if (!isChosen) continue;
      events[at++] = gap;
      events[at++] = step;
    }
    this.heldEvents = at;
  }

  private addEnd(level: number, start: number, length: number, isChosen: boolean): void {
    const at = 4 * this.endedCount++;
    if (at + 4 > this.ended.length) this.ended = resized(this.ended, new Int32Array(2 * this.ended.length));
    const { ended } = this;
    ended[at] = level;
    ended[at + 1] = start;
    ended[at + 2] = length;
    ended[at + 3] = isChosen ? 1 : 0;
  }

  /** Drops what comes behind the last wanted lane. */
  private hasChosenEnd(): boolean {
    while (this.endedCount > 0 && this.ended[4 * this.endedCount - 1] === 0) this.endedCount--;
    return this.endedCount > 0;
  }

  /** Ranks, and the bytes at the end that they and PLAIN lanes need. */
  private readEnd(): Uint8Array {
    const { ended, plain, rankSymbols } = this;
    for (let level = 0; level < RANK_LEVELS; level++) {
      const part = this.rankParts[level];
      if (rankSymbols[level].length < part.count) rankSymbols[level] = new Uint8Array(2 * part.count);
      this.coded.column(RANKS + level, RECENT + 1, rankSymbols[level], part.count);
      part.copyTo(rankSymbols[level], this.ranks[level]);
    }
    let held = 0;
    for (let at = 0; at < 4 * this.endedCount; at += 4) {
      const level = ended[at];
      const bytes =
        level === AS_IT_IS ? ended[at + 2] : unranked(rankSymbols[level], ended[at + 1], ended[at + 2]);
      if (ended[at + 3] === 0) skip(plain, 8 * bytes);
      else {
        if (held + bytes > this.bytes.length) {
          this.bytes = resized(this.bytes, new Uint8Array(2 * (held + bytes)));
        }
        for (let i = 0; i < bytes; i++) this.bytes[held++] = plain.bits(8);
      }
    }
    return this.bytes.subarray(0, held);
  }
}

function unranked(ranks: Uint8Array, start: number, length: number): number {
  let count = 0;
  for (let i = start; i < start + length; i++) if (ranks[i] === RECENT) count++;
  return count;
}
