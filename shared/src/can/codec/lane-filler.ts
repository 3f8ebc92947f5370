import type { BitReader } from './bit-reader.js';
import type { Channels } from './channels.js';
import {
  CHANGE,
  CONSTANT,
  CURVE,
  DISTANCE,
  PLAIN,
  RARE,
  RECENT,
  RECENT_CHANGE,
  RECENT_VALUE,
  recentStart,
  SUM,
  WIDE,
} from './lane-kinds.js';
import type { LanePlan } from './lane-plan.js';
import { wordsOf } from './places.js';
import { LEVELS, RANK_LEVELS } from './tables.js';

/* A copy: V8 folds a module's own constants, not imported ones. */
const UNKNOWN = RECENT;

/** Fills in the data of all frames but the channels' first, as the plan says. Reused from batch to batch. */
export class LaneFiller {
  private readonly recent = new Uint8Array(RECENT);
  /** Where what belongs to the next lane is in the plan. */
  private eventsAt = 0;
  private readonly changesAt = new Int32Array(LEVELS);
  private readonly ranksAt = new Int32Array(RANK_LEVELS);
  /** Of each frame of one channel, the sum of the bytes that are added to a SUM lane. */
  private sums = new Uint8Array(1024);

  constructor(
    private readonly plan: LanePlan,
    private readonly input: BitReader,
  ) {}

  fill(channels: Channels, places: Uint32Array, data: Uint8Array): void {
    this.eventsAt = 0;
    this.changesAt.fill(0);
    this.ranksAt.fill(0);
    const words = wordsOf(channels, data);
    let from = 0;
    let base = 0;
    for (let i = 0; i < channels.count; i++) {
      const end = from + channels.frames[i];
      const lanes = channels.length[i];
      if (lanes > 0 && end - from > 1) {
        this.fillChannel(places, from, end, base, lanes, data, words);
        base += lanes;
      }
      from = end;
    }
  }

  private fillChannel(
    places: Uint32Array,
    from: number,
    end: number,
    base: number,
    lanes: number,
    data: Uint8Array,
    words: Uint32Array | undefined,
  ): void {
    const { kinds, levels, others } = this.plan;
    if (words) fillWords(places, from, end, lanes, words);
    for (let lane = 0; lane < lanes; lane++) {
      switch (kinds[base + lane]) {
        case CONSTANT:
          if (!words) fillLane(places, from, end, lane, data);
          break;
        case RARE:
          if (!words) fillLane(places, from, end, lane, data);
          this.fillEvents(places, from, end, lane, data);
          break;
        case CHANGE:
          this.fillChanges(levels[base + lane], places, from, end, lane, data);
          break;
        case CURVE:
          this.fillCurve(levels[base + lane], places, from, end, lane, data);
          break;
        case RECENT_CHANGE:
          this.fillRecentChanges(levels[base + lane], places, from, end, lane, data);
          break;
        case RECENT_VALUE:
          this.fillRecentValues(levels[base + lane], places, from, end, lane, data);
          break;
        case WIDE:
          this.fillWide(levels[base + lane], places, from, end, lane, data);
          lane++;
          break;
        case PLAIN:
          for (let i = from + 1; i < end; i++) data[places[i] + lane] = this.input.bits(8);
          break;
        case DISTANCE:
          this.fillDistances(levels[base + lane], places, from, end, lane, others[base + lane], data);
          break;
        default: // SUM: behind the others, which it needs
      }
    }
    for (let lane = 0; lane < lanes; lane++) {
      if (kinds[base + lane] === SUM)
        this.fillSum(levels[base + lane], places, from, end, lane, base, lanes, data);
    }
  }

  /** All frames have the first one's byte by then. */
  private fillEvents(places: Uint32Array, from: number, end: number, lane: number, data: Uint8Array): void {
    const { events } = this.plan;
    let at = this.eventsAt;
    let value = data[places[from] + lane];
    let frame = from;
    for (let left = events[at++]; left > 0; left--) {
      frame += events[at++] + 1;
      value = (value + events[at++]) & 0xff;
      const next = left > 1 ? frame + events[at] + 1 : end;
      for (let i = frame; i < next; i++) data[places[i] + lane] = value;
    }
    this.eventsAt = at;
  }

  private fillChanges(
    level: number,
    places: Uint32Array,
    from: number,
    end: number,
    lane: number,
    data: Uint8Array,
  ): void {
    const { values } = this.plan.changes[level];
    let at = this.changesAt[level];
    let value = data[places[from] + lane];
    for (let i = from + 1; i < end; i++) {
      value = (value + values[at++]) | 0;
      data[places[i] + lane] = value;
    }
    this.changesAt[level] = at;
  }

  private fillCurve(
    level: number,
    places: Uint32Array,
    from: number,
    end: number,
    lane: number,
    data: Uint8Array,
  ): void {
    const { values } = this.plan.changes[level];
    let at = this.changesAt[level];
    let value = data[places[from] + lane];
    let change = 0;
    for (let i = from + 1; i < end; i++) {
      change = (change + values[at++]) | 0;
      value = (value + change) | 0;
      data[places[i] + lane] = value;
    }
    this.changesAt[level] = at;
  }

  private fillDistances(
    level: number,
    places: Uint32Array,
    from: number,
    end: number,
    lane: number,
    other: number,
    data: Uint8Array,
  ): void {
    const { values } = this.plan.changes[level];
    let at = this.changesAt[level];
    let distance = data[places[from] + lane] - data[places[from] + other];
    for (let i = from + 1; i < end; i++) {
      distance = (distance + values[at++]) | 0;
      data[places[i] + lane] = distance + data[places[i] + other];
    }
    this.changesAt[level] = at;
  }

  private fillWide(
    level: number,
    places: Uint32Array,
    from: number,
    end: number,
    lane: number,
    data: Uint8Array,
  ): void {
    const { values } = this.plan.changes[level];
    let at = this.changesAt[level];
    const first = places[from] + lane;
    let value = (data[first] << 8) | data[first + 1];
    for (let i = from + 1; i < end; i++) {
      value = (value + values[at++]) | 0;
      const to = places[i] + lane;
      data[to] = value >> 8;
      data[to + 1] = value;
    }
    this.changesAt[level] = at;
  }

  private fillSum(
    level: number,
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
    const { sums } = this;
    const { summands } = this.plan;
    sums.fill(0, 0, frames);
    for (let other = 0; other < lanes; other++) {
      if (summands[base + other] === 0) continue;
      for (let i = 0; i < frames; i++) sums[i] += data[places[from + i] + other];
    }
    const { values } = this.plan.changes[level];
    let at = this.changesAt[level];
    let sum = data[places[from] + lane] + sums[0];
    for (let i = 1; i < frames; i++) {
      sum = (sum + values[at++]) | 0;
      data[places[from + i] + lane] = sum - sums[i];
    }
    this.changesAt[level] = at;
  }

  private fillRecentChanges(
    level: number,
    places: Uint32Array,
    from: number,
    end: number,
    lane: number,
    data: Uint8Array,
  ): void {
    const { values: ranks } = this.plan.ranks[level];
    let at = this.ranksAt[level];
    this.recent.set(recentStart);
    let value = data[places[from] + lane];
    for (let i = from + 1; i < end; i++) {
      value = (value + this.recall(ranks[at++])) & 0xff;
      data[places[i] + lane] = value;
    }
    this.ranksAt[level] = at;
  }

  private fillRecentValues(
    level: number,
    places: Uint32Array,
    from: number,
    end: number,
    lane: number,
    data: Uint8Array,
  ): void {
    const { recent } = this;
    const { values: ranks } = this.plan.ranks[level];
    let at = this.ranksAt[level];
    const first = data[places[from] + lane];
    for (let i = 0; i < RECENT; i++) recent[i] = first + recentStart[i];
    for (let i = from + 1; i < end; i++) data[places[i] + lane] = this.recall(ranks[at++]);
    this.ranksAt[level] = at;
  }

  /** The value of this rank, which moves to the front; one without rank is read. */
  private recall(rank: number): number {
    const { recent } = this;
    const isKnown = rank < UNKNOWN;
    const value = isKnown ? recent[rank] : this.input.bits(8);
    for (let i = isKnown ? rank : UNKNOWN - 1; i > 0; i--) recent[i] = recent[i - 1];
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
