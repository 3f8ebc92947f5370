import { malformedPayload } from '../../batch/payload.js';
import { BitReader } from '../codec/bit-reader.js';
import type { Channels } from '../codec/channels.js';
import {
  CONSTANT,
  DISTANCE,
  FIRST_ONES,
  FIRST_OTHER,
  FIRST_REPEATED,
  FIRST_SYMBOLS,
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
import { SymbolReader } from '../codec/symbol-reader.js';
import { CHANGES, FIRST, LANE, LEVELS, RANK_LEVELS, RANKS } from '../codec/tables.js';
import { ColumnParts } from './column-parts.js';
import type { PlainBits } from './plain-bits.js';
import type { SymbolColumns } from './symbol-columns.js';
import { chooseLanes } from './wanted-lanes.js';

/** Wanted channels of a batch. */
export interface Chosen {
  channels: Channels;
  /** Of each, which bytes are wanted: 1 or 0. */
  bytes: readonly Uint8Array[];
  /** Of each channel of the batch its place among them; -1 where it isn't wanted. */
  placeOf: Int32Array;
}

/**
 * The plan of some lanes of some channels, read out of that of all. What it holds afterwards is what `LanePlan` would
 * hold if the batch had no other channels, and these channels' other lanes never changed.
 */
export class PartialPlan extends LanePlan {
  /** Of each level of changes, then of each level of ranks. */
  private readonly parts = Array.from({ length: LEVELS + RANK_LEVELS }, () => new ColumnParts());
  private readonly rankSymbols = Array.from({ length: RANK_LEVELS }, () => new Uint8Array(0));
  private firsts = new Uint8Array(2048);
  private firstBytes = new Uint8Array(2048);
  private symbolsOf = new Uint8Array(2048);
  /** Of each lane of the channel at hand, whether what it says is needed. */
  private readonly needed = new Uint8Array(128);
  private readonly rankAt = new Int32Array(RANK_LEVELS);
  private isWithEnd = false;
  private heldEvents = 0;
  private bytes = new Uint8Array(1024);

  constructor(
    private readonly coded: SymbolColumns,
    private readonly plain: PlainBits,
  ) {
    super(new SymbolReader(), new BitReader()); // only `read` would use them
  }

  /**
   * Reads on behind the times. Stores the bytes of the chosen channels' first frames, whose places are given channel by
   * channel. Returns the bytes that their other frames need from the payload's end.
   */
  readChosen(all: Channels, chosen: Chosen, places: Uint32Array, data: Uint8Array): Uint8Array {
    for (const part of this.parts) part.clear();
    this.isWithEnd = false;
    this.heldEvents = 0;
    this.readFirstBytes(all, chosen, places, data);
    this.readLanes(all, chosen);
    const last = this.isWithEnd ? LEVELS - 1 : this.parts.findLastIndex(({ wanted }) => wanted > 0);
    for (let level = 0; level <= last; level++) {
      const isLast = level === last && !this.isWithEnd;
      this.parts[level].readNumbers(this.coded, CHANGES + level, this.plain, this.changes[level], isLast);
    }
    return this.isWithEnd ? this.readEnd(all, chosen) : this.bytes.subarray(0, 0);
  }

  private readFirstBytes(
    all: Channels,
    { channels, placeOf }: Chosen,
    places: Uint32Array,
    data: Uint8Array,
  ): void {
    let lanes = 0;
    for (let i = 0; i < all.count; i++) lanes += all.length[i];
    this.reserveLanes(lanes);
    const { firsts, firstBytes, plain } = this;
    this.coded.read(FIRST, FIRST_SYMBOLS, firsts, lanes);
    // Without branches: what comes next can't be foreseen.
    let others = 0;
    for (let lane = 0; lane < lanes; lane++) others += (firsts[lane] + 1) >> 2; // 1 for FIRST_OTHER
    for (let i = 0; i < others; i++) firstBytes[i] = plain.bits(8);
    let lane = 0;
    let at = 0;
    let from = 0;
    for (let i = 0; i < all.count; i++) {
      const length = all.length[i];
      if (placeOf[i] < 0) {
        for (const end = lane + length; lane < end; lane++) at += (firsts[lane] + 1) >> 2;
        continue;
      }
      let value = this.valueBefore(lane, at);
      const to = places[from];
      for (let k = 0; k < length; k++) {
        const first = firsts[lane++];
        if (first === FIRST_OTHER) value = firstBytes[at++];
        else if (first !== FIRST_REPEATED) value = first === FIRST_ONES ? 255 : 0;
        data[to + k] = value;
      }
      from += channels.frames[placeOf[i]];
    }
  }

  /** First byte of the lane before; `at`: of the bytes that a FIRST_OTHER says, the next one. */
  private valueBefore(lane: number, at: number): number {
    const { firsts, firstBytes } = this;
    let before = lane - 1;
    while (before >= 0 && firsts[before] === FIRST_REPEATED) before--;
    if (before < 0) return 0;
    if (firsts[before] === FIRST_OTHER) return firstBytes[at - 1];
    return firsts[before] === FIRST_ONES ? 255 : 0;
  }

  private reserveLanes(lanes: number): void {
    if (this.symbolsOf.length < lanes) {
      this.symbolsOf = new Uint8Array(2 * lanes);
      this.firsts = new Uint8Array(2 * lanes);
      this.firstBytes = new Uint8Array(2 * lanes);
    }
    if (this.kinds.length >= lanes) return;
    this.kinds = new Uint8Array(2 * lanes);
    this.levels = new Uint8Array(2 * lanes);
    this.others = new Uint8Array(2 * lanes);
    this.summands = new Uint8Array(2 * lanes);
  }

  /** The kinds of all lanes and their details; those of the needed ones are kept. */
  private readLanes(all: Channels, { bytes, placeOf }: Chosen): void {
    const { symbolsOf } = this;
    let count = 0;
    for (let i = 0; i < all.count; i++) if (all.frames[i] > 1) count += all.length[i];
    this.coded.read(LANE, LANE_SYMBOLS, symbolsOf, count);
    let from = 0;
    let base = 0;
    for (let i = 0; i < all.count; i++) {
      if (all.frames[i] === 1) continue;
      const lanes = all.length[i];
      const place = placeOf[i];
      if (place < 0) this.passDetails(from, lanes, all.frames[i] - 1);
      else {
        this.readDetailsOf(from, base, lanes, all.frames[i] - 1, bytes[place]);
        base += lanes;
      }
      from += lanes;
    }
    this.readAllEvents(all, placeOf);
  }

  /** Counts what the lanes of a channel that isn't wanted have in the columns, and passes over the rest. */
  private passDetails(from: number, lanes: number, length: number): void {
    const { symbolsOf, parts, plain } = this;
    let sums = 0;
    let distances = 0;
    let summands = 0;
    for (let lane = from; lane < from + lanes; lane++) {
      const symbol = symbolsOf[lane];
      const part = partOf[symbol];
      if (part >= 0) parts[part].pass(length);
      sums += isSum[symbol];
      distances += isDistance[symbol];
      summands += summandsOf[symbol];
    }
    plain.skip(6 * distances);
    if (sums > 1) throw malformedPayload('a channel has two sums');
    if (sums === 1) plain.skip(summands);
  }

  /** Of one chosen channel, whose lanes' symbols start at `from`; kept from `base` on. */
  private readDetailsOf(from: number, base: number, lanes: number, length: number, wanted: Uint8Array): void {
    const { needed } = this;
    const sum = this.readKindsOf(from, base, lanes);
    chooseLanes(this, base, lanes, wanted, needed);
    for (let lane = 0; lane < lanes; lane++) {
      if (lane === sum) continue;
      this.addPart(this.symbolsOf[from + lane], length, needed[lane] === 1);
      if (needed[lane] === 0) this.kinds[base + lane] = CONSTANT;
    }
    if (sum < 0) return;
    this.addPart(this.symbolsOf[from + sum], length, needed[sum] === 1);
    if (needed[sum] === 0) this.kinds[base + sum] = CONSTANT;
  }

  private addPart(symbol: number, length: number, isNeeded: boolean): void {
    const part = partOf[symbol];
    if (part >= 0) this.parts[part].add(length, isNeeded);
    if (isNeeded && hasEnd[symbol] === 1) this.isWithEnd = true;
  }

  /** Returns the lane that is a sum, or -1. */
  private readKindsOf(from: number, base: number, lanes: number): number {
    const { plain, symbolsOf, kinds, levels, others, summands } = this;
    let sum = -1;
    for (let lane = 0; lane < lanes; lane++) {
      const symbol = symbolsOf[from + lane];
      kinds[base + lane] = kindOf[symbol];
      levels[base + lane] = levelOf[symbol];
      if (kindOf[symbol] === SUM) {
        if (sum >= 0) throw malformedPayload('a channel has two sums');
        sum = lane;
      } else if (kindOf[symbol] === DISTANCE) {
        const other = plain.bits(6);
        if (other >= lane || kinds[base + other] === SUM)
          throw malformedPayload('a distance has no other lane');
        others[base + lane] = other;
      } else if (kindOf[symbol] === WIDE) {
        lane++;
        if (lane === lanes || kindOf[symbolsOf[from + lane]] !== CONSTANT)
          throw malformedPayload('a wide lane is alone');
        kinds[base + lane] = WIDE;
      }
    }
    if (sum < 0) return sum;
    for (let i = base; i < base + lanes; i++) {
      summands[i] = kinds[i] === CONSTANT || kinds[i] === SUM ? 0 : plain.bits(1);
    }
    return sum;
  }

  /** Changes of RARE lanes; those of lanes that were kept are kept. */
  private readAllEvents(all: Channels, placeOf: Int32Array): void {
    let lane = 0;
    let base = 0;
    for (let i = 0; i < all.count; i++) {
      if (all.frames[i] === 1) continue;
      const isChosen = placeOf[i] >= 0;
      for (const end = lane + all.length[i]; lane < end; lane++) {
        if (this.symbolsOf[lane] === RARE) {
          this.readEventsOf(all.frames[i], isChosen && this.kinds[base] === RARE);
        }
        if (isChosen) base++;
      }
    }
  }

  private readEventsOf(frames: number, isNeeded: boolean): void {
    const { plain } = this;
    const count = plain.number();
    if (count === 0 || count * RARITY > frames) throw malformedPayload('a lane changes too often or never');
    const needed = this.heldEvents + 2 * count + 1;
    if (isNeeded && needed > this.events.length) {
      this.events = resized(this.events, new Int32Array(2 * needed));
    }
    const { events } = this;
    let at = this.heldEvents;
    if (isNeeded) events[at++] = count;
    let left = frames - 1;
    for (let i = 0; i < count; i++) {
      const gap = plain.number();
      const step = unzigzag(plain.number());
      left -= gap + 1;
      if (left < 0) throw malformedPayload('a lane changes behind its last frame');
      if (!isNeeded) continue;
      events[at++] = gap;
      events[at++] = step;
    }
    this.heldEvents = at;
  }

  /** Ranks, and the bytes at the end that they and PLAIN lanes need. */
  private readEnd(all: Channels, { placeOf }: Chosen): Uint8Array {
    const { plain, rankSymbols, symbolsOf, kinds } = this;
    for (let level = 0; level < RANK_LEVELS; level++) {
      const part = this.parts[LEVELS + level];
      if (rankSymbols[level].length < part.count) rankSymbols[level] = new Uint8Array(2 * part.count);
      this.coded.read(RANKS + level, RECENT + 1, rankSymbols[level], part.count);
      part.copyTo(rankSymbols[level], this.ranks[level]);
    }
    const rankAt = this.rankAt.fill(0);
    let held = 0;
    let lane = 0;
    let base = 0;
    for (let i = 0; i < all.count; i++) {
      const length = all.frames[i] - 1;
      if (length === 0) continue;
      const isChosen = placeOf[i] >= 0;
      for (const end = lane + all.length[i]; lane < end; lane++) {
        const symbol = symbolsOf[lane];
        const isNeeded = isChosen && kinds[base] === kindOf[symbol];
        if (isChosen) base++;
        if (hasEnd[symbol] === 0) continue;
        let bytes = length;
        if (symbol !== PLAIN) {
          const level = levelOf[symbol];
          bytes = unranked(rankSymbols[level], rankAt[level], length);
          rankAt[level] += length;
        }
        if (isNeeded) held = this.readBytes(held, bytes);
        else plain.skip(8 * bytes);
      }
    }
    return this.bytes.subarray(0, held);
  }

  private readBytes(held: number, count: number): number {
    if (held + count > this.bytes.length) {
      this.bytes = resized(this.bytes, new Uint8Array(2 * (held + count)));
    }
    for (let i = held; i < held + count; i++) this.bytes[i] = this.plain.bits(8);
    return held + count;
  }
}

/** What each symbol of a lane means for those who pass over it. */
const partOf = Int8Array.from({ length: LANE_SYMBOLS }, (_, symbol) => {
  if (kindOf[symbol] <= PLAIN) return -1;
  return kindOf[symbol] >= RECENT_CHANGE ? LEVELS + levelOf[symbol] : levelOf[symbol];
});
const hasEnd = ofSymbols((kind) => Number(kind === PLAIN || kind >= RECENT_CHANGE));
const isSum = ofSymbols((kind) => Number(kind === SUM));
const isDistance = ofSymbols((kind) => Number(kind === DISTANCE));
/** Bits of the lanes that may be added to a sum; a WIDE one stands for its pair, whose second looks CONSTANT. */
const summandsOf = ofSymbols((kind) => (kind === CONSTANT || kind === SUM ? 0 : kind === WIDE ? 2 : 1));

function ofSymbols(value: (kind: number) => number): Uint8Array {
  return Uint8Array.from(kindOf, value);
}

function unranked(ranks: Uint8Array, start: number, length: number): number {
  let count = 0;
  for (let i = start; i < start + length; i++) if (ranks[i] === RECENT) count++;
  return count;
}
