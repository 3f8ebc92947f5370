import type { Channels } from './channels.js';
import { LaneChoice, moveToFront, WIDE_SECOND } from './lane-choice.js';
import {
  CHANGE,
  CONSTANT,
  CURVE,
  DISTANCE,
  FIRST_ONES,
  FIRST_OTHER,
  FIRST_REPEATED,
  FIRST_ZERO,
  laneSymbol,
  PLAIN,
  RARE,
  RARITY,
  RECENT,
  RECENT_CHANGE,
  RECENT_VALUE,
  recentStart,
  SUM,
  WIDE,
} from './lane-kinds.js';
import type { BitWriter } from './bit-writer.js';
import { NumberColumn, zigzag } from './numbers.js';
import { wordsOf } from './places.js';
import { resized } from './resized.js';
import type { SymbolColumn, SymbolWriter } from './symbol-writer.js';
import { CHANGES, FIRST, LANE, LEVELS, RANKS } from './tables.js';

/* A copy: V8 folds a module's own constants, not imported ones. */
const UNKNOWN = RECENT;

/** Writes the data of frames; lane-kinds.ts has the grammar. Reused from batch to batch. */
export class LaneWriter {
  private readonly choice = new LaneChoice();
  private readonly changes = Array.from({ length: LEVELS }, () => new NumberColumn());
  private readonly recent = new Uint8Array(RECENT);
  /** Bits of DISTANCE and SUM lanes, each group as `count << 8 | value`. */
  private details = new Uint16Array(256);
  private detailCount = 0;
  /** Of RARE lanes: count, and gap and step of each change. */
  private events = new Uint32Array(1024);
  private eventCount = 0;
  /** Bytes that are written as they are. */
  private bytes = new Uint8Array(4096);
  private byteCount = 0;
  /** The lanes of one channel that vary, lane k from `k * frames` on. */
  private columns = new Uint8Array(64 * 1024);

  constructor(
    private readonly out: SymbolWriter,
    private readonly bits: BitWriter,
  ) {}

  write(channels: Channels, places: Uint32Array, data: Uint8Array): void {
    const { out, bits, changes } = this;
    const words = wordsOf(channels, data);
    for (const column of changes) column.count = 0;
    this.detailCount = 0;
    this.eventCount = 0;
    this.byteCount = 0;
    this.writeFirsts(channels, places, data);
    let from = 0;
    for (let i = 0; i < channels.count; i++) {
      const end = from + channels.frames[i];
      const lanes = channels.length[i];
      if (lanes > 0 && end - from > 1) this.takeChannel(places, from, end, lanes, data, words);
      from = end;
    }
    bits.reserve(6 * this.detailCount);
    for (let i = 0; i < this.detailCount; i++) bits.bits(this.details[i] & 0xff, this.details[i] >> 8);
    this.writeEvents();
    for (let level = 0; level < LEVELS; level++) changes[level].write(out.columns[CHANGES + level], bits);
    bits.reserve(8 * this.byteCount);
    for (let i = 0; i < this.byteCount; i++) bits.bits(this.bytes[i], 8);
  }

  private writeFirsts(channels: Channels, places: Uint32Array, data: Uint8Array): void {
    const { bits } = this;
    const column = this.out.columns[FIRST];
    let before = 0;
    let from = 0;
    for (let i = 0; i < channels.count; i++) {
      const start = places[from];
      const end = start + channels.length[i];
      bits.reserve(8 * (end - start));
      let to = column.reserve(end - start);
      const { symbols } = column;
      for (let at = start; at < end; at++) {
        const value = data[at];
        let first = FIRST_OTHER;
        if (value === 0) first = FIRST_ZERO;
        else if (value === 255) first = FIRST_ONES;
        else if (value === before) first = FIRST_REPEATED;
        else bits.bits(value, 8);
        symbols[to++] = first;
        before = value;
      }
      column.count = to;
      from += channels.frames[i];
    }
  }

  private writeEvents(): void {
    const { bits, events, eventCount } = this;
    bits.reserve(44 * eventCount);
    for (let at = 0; at < eventCount; at++) bits.number(events[at]);
  }

  private takeChannel(
    places: Uint32Array,
    from: number,
    end: number,
    lanes: number,
    data: Uint8Array,
    words: Uint32Array | undefined,
  ): void {
    const { choice } = this;
    const { kind, level } = choice;
    const frames = end - from;
    if (words) this.compareWords(places, from, end, lanes, words);
    else this.compareBytes(places, from, end, lanes, data);
    this.transpose(places, from, end, lanes, data);
    choice.choose(this.columns, frames, lanes);
    const column = this.out.columns[LANE];
    let to = column.reserve(lanes);
    for (let lane = 0; lane < lanes; lane++) {
      column.symbols[to++] = kind[lane] === WIDE_SECOND ? CONSTANT : laneSymbol(kind[lane], level[lane]);
    }
    column.count = to;
    this.takeDetails(lanes);
    for (let lane = 0; lane < lanes; lane++) this.takeLane(kind[lane], level[lane], lane, frames);
    for (let lane = 0; lane < lanes; lane++)
      if (kind[lane] === SUM) this.takeSum(this.changes[level[lane]], lane, frames, lanes);
  }

  private takeDetails(lanes: number): void {
    const { kind, other, isSummand } = this.choice;
    if (this.detailCount + 2 * lanes > this.details.length) {
      this.details = resized(this.details, new Uint16Array(2 * (this.detailCount + 2 * lanes)));
    }
    let sums = 0;
    for (let lane = 0; lane < lanes; lane++) {
      if (kind[lane] === DISTANCE) this.details[this.detailCount++] = (6 << 8) | other[lane];
      else if (kind[lane] === SUM) sums++;
    }
    if (sums === 0) return;
    for (let lane = 0; lane < lanes; lane++) {
      if (kind[lane] !== CONSTANT && kind[lane] !== SUM)
        this.details[this.detailCount++] = (1 << 8) | isSummand[lane];
    }
  }

  /** Marks the lanes that are constant. */
  private compareBytes(
    places: Uint32Array,
    from: number,
    end: number,
    lanes: number,
    data: Uint8Array,
  ): void {
    const { kind } = this.choice;
    for (let lane = 0; lane < lanes; lane++) {
      const first = data[places[from] + lane];
      let different = 0;
      for (let i = from + 1; i < end; i++) different |= data[places[i] + lane] ^ first;
      kind[lane] = different === 0 ? CONSTANT : CHANGE;
    }
  }

  private compareWords(
    places: Uint32Array,
    from: number,
    end: number,
    lanes: number,
    words: Uint32Array,
  ): void {
    const { kind } = this.choice;
    for (let word = 0; word < lanes >> 2; word++) {
      const first = words[(places[from] >> 2) + word];
      let different = 0;
      for (let i = from + 1; i < end; i++) different |= words[(places[i] >> 2) + word] ^ first;
      for (let byte = 0; byte < 4; byte++) {
        kind[4 * word + byte] = ((different >>> (8 * byte)) & 0xff) === 0 ? CONSTANT : CHANGE;
      }
    }
  }

  /** Fills `columns`, and marks as RARE the lanes that hardly ever change. */
  private transpose(places: Uint32Array, from: number, end: number, lanes: number, data: Uint8Array): void {
    const frames = end - from;
    if (this.columns.length < frames * lanes) this.columns = new Uint8Array(2 * frames * lanes);
    const { columns } = this;
    const { kind } = this.choice;
    for (let lane = 0; lane < lanes; lane++) {
      if (kind[lane] === CONSTANT) continue;
      let to = lane * frames;
      let before = data[places[from] + lane];
      let same = 0;
      for (let i = from; i < end; i++) {
        const value = data[places[i] + lane];
        columns[to++] = value;
        same += ((value ^ before) - 1) >>> 31;
        before = value;
      }
      if (RARITY * (frames - same) <= frames) kind[lane] = RARE;
    }
  }

  private takeLane(kind: number, level: number, lane: number, frames: number): void {
    const start = lane * frames;
    switch (kind) {
      case RARE:
        this.takeEvents(start, frames);
        break;
      case CHANGE:
        this.takeChanges(this.changes[level], start, frames);
        break;
      case CURVE:
        this.takeCurve(this.changes[level], start, frames);
        break;
      case RECENT_CHANGE:
        this.takeRecentChanges(this.out.columns[RANKS + level], start, frames);
        break;
      case RECENT_VALUE:
        this.takeRecentValues(this.out.columns[RANKS + level], start, frames);
        break;
      case WIDE:
        this.takeWide(this.changes[level], start, frames);
        break;
      case PLAIN:
        this.reserveBytes(frames);
        for (let i = start + 1; i < start + frames; i++) this.bytes[this.byteCount++] = this.columns[i];
        break;
      case DISTANCE:
        this.takeDistances(this.changes[level], start, this.choice.other[lane] * frames, frames);
        break;
      default: // CONSTANT and WIDE_SECOND: nothing to tell; SUM: behind the others
    }
  }

  private takeEvents(start: number, frames: number): void {
    const { columns } = this;
    if (this.eventCount + 2 * frames > this.events.length) {
      this.events = resized(this.events, new Uint32Array(2 * (this.eventCount + 2 * frames)));
    }
    const { events } = this;
    const head = this.eventCount;
    let to = head + 1;
    let last = start;
    for (let i = start + 1; i < start + frames; i++) {
      if (columns[i] === columns[i - 1]) continue;
      events[to++] = i - last - 1;
      events[to++] = zigzag(signedByte(columns[i] - columns[i - 1]));
      last = i;
    }
    events[head] = (to - head) >> 1;
    this.eventCount = to;
  }

  private takeChanges(changes: NumberColumn, start: number, frames: number): void {
    const { columns } = this;
    let to = changes.add(frames - 1);
    const { values } = changes;
    for (let i = start + 1; i < start + frames; i++) values[to++] = signedByte(columns[i] - columns[i - 1]);
  }

  private takeCurve(changes: NumberColumn, start: number, frames: number): void {
    const { columns } = this;
    let to = changes.add(frames - 1);
    const { values } = changes;
    let before = 0;
    for (let i = start + 1; i < start + frames; i++) {
      const change = columns[i] - columns[i - 1];
      values[to++] = signedByte(change - before);
      before = change;
    }
  }

  private takeDistances(changes: NumberColumn, start: number, other: number, frames: number): void {
    const { columns } = this;
    let to = changes.add(frames - 1);
    const { values } = changes;
    let before = columns[start] - columns[other];
    for (let i = 1; i < frames; i++) {
      const distance = columns[start + i] - columns[other + i];
      values[to++] = signedByte(distance - before);
      before = distance;
    }
  }

  private takeWide(changes: NumberColumn, start: number, frames: number): void {
    const { columns } = this;
    let to = changes.add(frames - 1);
    const { values } = changes;
    let before = (columns[start] << 8) | columns[start + frames];
    for (let i = start + 1; i < start + frames; i++) {
      const value = (columns[i] << 8) | columns[i + frames];
      values[to++] = ((value - before) << 16) >> 16;
      before = value;
    }
  }

  private takeSum(changes: NumberColumn, lane: number, frames: number, lanes: number): void {
    const { columns, choice } = this;
    const first = changes.add(frames - 1) - 1;
    const { values } = changes;
    const start = lane * frames;
    for (let i = 1; i < frames; i++) values[first + i] = columns[start + i] - columns[start + i - 1];
    for (let other = 0; other < lanes; other++) {
      if (choice.kind[other] === CONSTANT || choice.isSummand[other] === 0) continue;
      const from = other * frames;
      for (let i = 1; i < frames; i++) values[first + i] += columns[from + i] - columns[from + i - 1];
    }
    for (let i = 1; i < frames; i++) values[first + i] = signedByte(values[first + i]);
  }

  private takeRecentChanges(ranks: SymbolColumn, start: number, frames: number): void {
    const { columns, recent } = this;
    this.reserveBytes(frames);
    let to = ranks.reserve(frames - 1);
    recent.set(recentStart);
    for (let i = start + 1; i < start + frames; i++)
      to = this.takeRecent(ranks, (columns[i] - columns[i - 1]) & 0xff, to);
    ranks.count = to;
  }

  private takeRecentValues(ranks: SymbolColumn, start: number, frames: number): void {
    const { columns, recent } = this;
    this.reserveBytes(frames);
    let to = ranks.reserve(frames - 1);
    for (let i = 0; i < RECENT; i++) recent[i] = columns[start] + recentStart[i];
    for (let i = start + 1; i < start + frames; i++) to = this.takeRecent(ranks, columns[i], to);
    ranks.count = to;
  }

  private takeRecent(ranks: SymbolColumn, value: number, to: number): number {
    const rank = moveToFront(this.recent, value);
    ranks.symbols[to] = rank;
    if (rank === UNKNOWN) this.bytes[this.byteCount++] = value;
    return to + 1;
  }

  private reserveBytes(count: number): void {
    if (this.byteCount + count <= this.bytes.length) return;
    this.bytes = resized(this.bytes, new Uint8Array(2 * (this.byteCount + count)));
  }
}

/** A difference modulo 256, between -128 and 127. */
const signedByte = (difference: number): number => (difference << 24) >> 24;
