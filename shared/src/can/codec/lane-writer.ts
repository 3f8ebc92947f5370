import type { Channels } from './channels.js';
import { LaneChoice, moveToFront } from './lane-choice.js';
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
import { resized } from './resized.js';
import { SymbolColumns } from './symbol-columns.js';
import type { SymbolWriter } from './symbol-writer.js';
import { CHANGES, FIRST, LANE, RANKS } from './tables.js';

/* A copy: V8 folds a module's own constants, not imported ones. */
const UNKNOWN = RECENT;

/** Writes the data of frames; lane-kinds.ts has the grammar. Reused from batch to batch. */
export class LaneWriter {
  private readonly choice = new LaneChoice();
  private readonly changes = new NumberColumns();
  private readonly ranks = new SymbolColumns();
  private readonly recent = new Uint8Array(RECENT);
  /** Bytes that are written as they are. */
  private bytes = new Uint8Array(4096);
  private byteCount = 0;
  /** The lanes of one channel that vary, lane k from `k * frames` on. */
  private columns = new Uint8Array(64 * 1024);

  constructor(private readonly out: SymbolWriter) {}

  write(channels: Channels, places: Uint32Array, data: Uint8Array): void {
    const { out } = this;
    const words = wordsOf(channels, data);
    this.changes.clear();
    this.ranks.clear();
    this.byteCount = 0;
    let from = 0;
    for (let i = 0; i < channels.count; i++) {
      const end = from + channels.frames[i];
      const lanes = channels.length[i];
      if (lanes > 0) this.writeChannel(places, from, end, lanes, data, words);
      from = end;
    }
    this.changes.write(out, CHANGES);
    this.ranks.write(out, RANKS);
    out.reserve(this.byteCount);
    const { bytes } = this;
    for (let i = 0; i < this.byteCount; i++) out.bits(bytes[i], 8);
  }

  private writeChannel(
    places: Uint32Array,
    from: number,
    end: number,
    lanes: number,
    data: Uint8Array,
    words: Uint32Array | undefined,
  ): void {
    const { out, choice } = this;
    const { kind } = choice;
    const frames = end - from;
    out.reserve(4 * lanes + lanes * lanes);
    this.writeFirst(data, places[from], lanes);
    if (frames === 1) return;
    if (words) this.compareWords(places, from, end, lanes, words);
    else this.compareBytes(places, from, end, lanes, data);
    this.transpose(places, from, end, lanes, data);
    choice.choose(this.columns, frames, lanes);
    for (let lane = 0; lane < lanes; lane++) {
      out.symbol(LANE + kindContext(data[places[from] + lane]), kind[lane]);
      if (kind[lane] === WIDE) lane++;
    }
    for (let lane = 0; lane < lanes; lane++) if (kind[lane] === DISTANCE) out.bits(choice.other[lane], 6);
    for (let lane = 0; lane < lanes; lane++) {
      if (kind[lane] !== SUM) continue;
      for (let other = 0; other < lanes; other++) {
        if (kind[other] !== CONSTANT && kind[other] !== SUM) out.bits(choice.isSummand[other], 1);
      }
    }
    for (let lane = 0; lane < lanes; lane++) {
      this.takeLane(kind[lane], lane, frames);
      if (kind[lane] === WIDE) lane++;
    }
    for (let lane = 0; lane < lanes; lane++) if (kind[lane] === SUM) this.takeSum(lane, frames, lanes);
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

  private transpose(places: Uint32Array, from: number, end: number, lanes: number, data: Uint8Array): void {
    const frames = end - from;
    if (this.columns.length < frames * lanes) this.columns = new Uint8Array(2 * frames * lanes);
    const { columns } = this;
    for (let lane = 0; lane < lanes; lane++) {
      if (this.choice.kind[lane] === CONSTANT) continue;
      const start = lane * frames;
      for (let i = 0; i < frames; i++) columns[start + i] = data[places[from + i] + lane];
    }
  }

  private takeLane(kind: number, lane: number, frames: number): void {
    const start = lane * frames;
    switch (kind) {
      case CHANGE:
        this.takeChanges(start, frames);
        break;
      case CURVE:
        this.takeCurve(start, frames);
        break;
      case RECENT_CHANGE:
        this.takeRecentChanges(start, frames);
        break;
      case RECENT_VALUE:
        this.takeRecentValues(start, frames);
        break;
      case WIDE:
        this.takeWide(start, frames);
        break;
      case PLAIN:
        this.reserveBytes(frames);
        for (let i = start + 1; i < start + frames; i++) this.bytes[this.byteCount++] = this.columns[i];
        break;
      case DISTANCE:
        this.takeDistances(start, this.choice.other[lane] * frames, frames);
        break;
      default: // CONSTANT: nothing to tell; SUM: behind the others
    }
  }

  private takeChanges(start: number, frames: number): void {
    const { columns } = this;
    let to = this.changes.add(frames - 1);
    const { values } = this.changes;
    for (let i = start + 1; i < start + frames; i++) values[to++] = signedByte(columns[i] - columns[i - 1]);
  }

  private takeCurve(start: number, frames: number): void {
    const { columns } = this;
    let to = this.changes.add(frames - 1);
    const { values } = this.changes;
    let before = 0;
    for (let i = start + 1; i < start + frames; i++) {
      const change = columns[i] - columns[i - 1];
      values[to++] = signedByte(change - before);
      before = change;
    }
  }

  private takeDistances(start: number, other: number, frames: number): void {
    const { columns } = this;
    let to = this.changes.add(frames - 1);
    const { values } = this.changes;
    let before = columns[start] - columns[other];
    for (let i = 1; i < frames; i++) {
      const distance = columns[start + i] - columns[other + i];
      values[to++] = signedByte(distance - before);
      before = distance;
    }
  }

  private takeWide(start: number, frames: number): void {
    const { columns } = this;
    let to = this.changes.add(frames - 1);
    const { values } = this.changes;
    let before = (columns[start] << 8) | columns[start + frames];
    for (let i = start + 1; i < start + frames; i++) {
      const value = (columns[i] << 8) | columns[i + frames];
      values[to++] = ((value - before) << 16) >> 16;
      before = value;
    }
  }

  private takeSum(lane: number, frames: number, lanes: number): void {
    const { columns, choice } = this;
    const first = this.changes.add(frames - 1) - 1;
    const { values } = this.changes;
    const start = lane * frames;
    for (let i = 1; i < frames; i++) values[first + i] = columns[start + i] - columns[start + i - 1];
    for (let other = 0; other < lanes; other++) {
      if (choice.kind[other] === CONSTANT || choice.kind[other] === SUM || choice.isSummand[other] === 0)
        continue;
      const from = other * frames;
      for (let i = 1; i < frames; i++) values[first + i] += columns[from + i] - columns[from + i - 1];
    }
    for (let i = 1; i < frames; i++) values[first + i] = signedByte(values[first + i]);
  }

  private takeRecentChanges(start: number, frames: number): void {
    const { columns, recent } = this;
    this.reserveBytes(frames);
    let to = this.ranks.add(frames - 1);
    recent.set(recentStart);
    for (let i = start + 1; i < start + frames; i++)
      to = this.takeRecent((columns[i] - columns[i - 1]) & 0xff, to);
  }

  private takeRecentValues(start: number, frames: number): void {
    const { columns, recent } = this;
    this.reserveBytes(frames);
    let to = this.ranks.add(frames - 1);
    for (let i = 0; i < RECENT; i++) recent[i] = columns[start] + recentStart[i];
    for (let i = start + 1; i < start + frames; i++) to = this.takeRecent(columns[i], to);
  }

  private takeRecent(value: number, to: number): number {
    const rank = moveToFront(this.recent, value);
    this.ranks.symbols[to] = rank;
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
