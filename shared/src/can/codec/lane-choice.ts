import {
  CHANGE,
  CONSTANT,
  CURVE,
  DISTANCE,
  PLAIN,
  RARE,
  RECENT,
  recentStart,
  RECENT_CHANGE,
  RECENT_VALUE,
  SUM,
  WIDE,
} from './lane-kinds.js';
import { FRAME_DATA_BYTES_MAX } from '../frames.js';

/* A copy: V8 folds a module's own constants, not imported ones. */
const PLACES = RECENT;
/** As a lane's kind here: the WIDE lane before it covers it. */
export const WIDE_SECOND = 255;
/** Changes that a choice looks at. */
const SAMPLES = 24;
/** More varying lanes than this aren't searched for checksums: the search is quadratic. */
const SUM_LANES_MAX = 16;

/*
 * Rough costs in sixteenths of a bit. What they are worth is only the ratio, so they needn't be exact: about 2 bits for
 * the sign and the leading one, and the digits behind it.
 */
const BIT = 16;
const numberCost = Uint8Array.from({ length: 256 }, (_, u) =>
  Math.round(BIT * (u === 0 ? 0.6 : 1.6 + 1.15 * Math.log2(u))),
);
/** The same by signed change, as an unsigned byte. */
const changeCost = Uint8Array.from(
  { length: 256 },
  (_, byte) => numberCost[byte < 128 ? 2 * byte : 511 - 2 * byte],
);
const rankCost = Uint8Array.of(
  ...[0.6, 1.8, 2.5, 3, 3.4, 3.7, 4, 3 + 8].map((bits) => Math.round(BIT * bits)),
);
/** Costs a frame from which a level is left for the next one. */
const QUIET = 1.2 * BIT;
const MODERATE = 2.6 * BIT;
const NOISY = 4.4 * BIT;
const RANKS_QUIET = 1.3 * BIT;

/** Chooses how to tell each lane of a channel. Encoder only: the reader is told. Reused from channel to channel. */
export class LaneChoice {
  readonly kind = new Uint8Array(FRAME_DATA_BYTES_MAX);
  /** Of the kinds that have levels. */
  readonly level = new Uint8Array(FRAME_DATA_BYTES_MAX);
  /** Of DISTANCE: the other lane. */
  readonly other = new Uint8Array(FRAME_DATA_BYTES_MAX);
  /** Of the lane of kind SUM, which is one at most: 1 for each lane that is added to it. */
  readonly isSummand = new Uint8Array(FRAME_DATA_BYTES_MAX);
  private readonly cost = new Int32Array(FRAME_DATA_BYTES_MAX);
  private readonly recent = new Uint8Array(RECENT);
  /** The first changes of the varying lanes, from `lane * SAMPLES` on. */
  private readonly changes = new Uint8Array(FRAME_DATA_BYTES_MAX * SAMPLES);
  private readonly sums = new Uint8Array(SAMPLES);
  private readonly varying = new Uint8Array(FRAME_DATA_BYTES_MAX);

  /**
   * `columns` holds the lanes one after the other, `frames` bytes each; `kind` says CONSTANT, RARE or something else
   * on entry.
   */
  choose(columns: Uint8Array, frames: number, lanes: number): void {
    const { kind, cost, varying } = this;
    const samples = Math.min(frames - 1, SAMPLES);
    const noise = BIT * (1.5 * samples + 4);
    let count = 0;
    let noisy = 0;
    for (let lane = 0; lane < lanes; lane++) {
      if (kind[lane] === CONSTANT) continue;
      varying[count++] = lane;
      const changeCosts = this.takeChanges(columns, lane, frames, samples);
      if (kind[lane] === RARE) {
        cost[lane] = 0;
        continue;
      }
      kind[lane] = CHANGE;
      cost[lane] = changeCosts;
      if (changeCosts > noise) noisy++;
    }
    const sumLane = noisy >= 2 && count <= SUM_LANES_MAX ? this.findSum(samples, count) : -1;
    const quiet = BIT * (0.7 * samples + 2);
    for (let i = 0; i < count; i++) {
      const lane = varying[i];
      if (lane !== sumLane && cost[lane] > quiet) this.chooseOne(columns, frames, samples, i, sumLane);
    }
    this.chooseWide(samples, count, sumLane);
    this.chooseLevels(samples, count);
  }

  /** Notes a lane's first changes, and returns what they cost. */
  private takeChanges(columns: Uint8Array, lane: number, frames: number, samples: number): number {
    const { changes } = this;
    const start = lane * frames;
    const to = lane * SAMPLES;
    let sum = 0;
    let before = columns[start];
    for (let j = 0; j < samples; j++) {
      const value = columns[start + j + 1];
      const change = (value - before) & 0xff;
      changes[to + j] = change;
      sum += changeCost[change];
      before = value;
    }
    return sum;
  }

  private chooseOne(columns: Uint8Array, frames: number, samples: number, at: number, sumLane: number): void {
    const { kind, cost, varying } = this;
    const lane = varying[at];
    let best = cost[lane];
    const curve = this.costOfCurve(lane, samples);
    if (curve < best) {
      best = curve;
      kind[lane] = CURVE;
    }
    for (let i = 0; i < at; i++) {
      const other = varying[i];
      if (other === sumLane || cost[other] < BIT * samples) continue;
      const distance = this.costOfDistance(lane, other, samples) + 4 * BIT;
      if (distance < best) {
        best = distance;
        kind[lane] = DISTANCE;
        this.other[lane] = other;
      }
    }
    const recentChange = this.costOfRecentChange(lane, samples, best);
    if (recentChange < best) {
      best = recentChange;
      kind[lane] = RECENT_CHANGE;
    }
    const recentValue = this.costOfRecentValue(columns, lane * frames, samples, best);
    if (recentValue < best) {
      best = recentValue;
      kind[lane] = RECENT_VALUE;
    }
    if (8 * BIT * samples <= best) {
      best = 8 * BIT * samples;
      kind[lane] = PLAIN;
    }
    cost[lane] = best;
  }

  private chooseWide(samples: number, count: number, sumLane: number): void {
    const { kind, cost, varying } = this;
    for (let i = 0; i + 1 < count; i++) {
      const lane = varying[i];
      const next = varying[i + 1];
      if (next !== lane + 1 || lane === sumLane || next === sumLane || cost[next] <= BIT * samples) continue;
      const wide = this.costOfWide(lane, next, samples);
      if (wide >= cost[lane] + cost[next]) continue;
      kind[lane] = WIDE;
      kind[next] = WIDE_SECOND;
      cost[lane] = wide;
      i++;
    }
  }

  private chooseLevels(samples: number, count: number): void {
    const { kind, level, cost, varying } = this;
    for (let i = 0; i < count; i++) {
      const lane = varying[i];
      const each = cost[lane] / samples;
      if (kind[lane] >= RECENT_CHANGE) level[lane] = each < RANKS_QUIET ? 0 : 1;
      else level[lane] = each < QUIET ? 0 : each < MODERATE ? 1 : each < NOISY ? 2 : 3;
    }
  }

  /**
   * Looks for a checksum: a set of lanes whose sum hardly changes. Starts from all varying lanes and leaves out what
   * disturbs. Returns the set's noisiest lane, which the sum then stands for, or -1.
   */
  private findSum(samples: number, count: number): number {
    const { kind, cost, sums, varying, isSummand, changes } = this;
    sums.fill(0);
    isSummand.fill(0);
    for (let i = 0; i < count; i++) {
      const start = varying[i] * SAMPLES;
      isSummand[varying[i]] = 1;
      for (let j = 0; j < samples; j++) sums[j] += changes[start + j];
    }
    let best = 0;
    for (let j = 0; j < samples; j++) best += changeCost[sums[j]];
    for (let left = count; left > 2; left--) {
      let without = -1;
      for (let i = 0; i < count; i++) {
        if (isSummand[varying[i]] === 0) continue;
        const start = varying[i] * SAMPLES;
        let sumCost = 0;
        for (let j = 0; j < samples; j++) sumCost += changeCost[(sums[j] - changes[start + j]) & 0xff];
        if (sumCost < best) {
          best = sumCost;
          without = varying[i];
        }
      }
      if (without < 0) break;
      isSummand[without] = 0;
      const start = without * SAMPLES;
      for (let j = 0; j < samples; j++) sums[j] -= changes[start + j];
    }
    let noisiest = -1;
    for (let i = 0; i < count; i++) {
      const lane = varying[i];
      if (isSummand[lane] && (noisiest < 0 || cost[lane] > cost[noisiest])) noisiest = lane;
    }
    if (best + count * BIT >= 0.7 * cost[noisiest]) return -1;
    kind[noisiest] = SUM;
    cost[noisiest] = best;
    isSummand[noisiest] = 0;
    return noisiest;
  }

  private costOfCurve(lane: number, samples: number): number {
    const { changes } = this;
    const start = lane * SAMPLES;
    let sum = 0;
    let before = 0;
    for (let i = start; i < start + samples; i++) {
      const change = changes[i];
      sum += changeCost[(change - before) & 0xff];
      before = change;
    }
    return sum;
  }

  private costOfDistance(lane: number, other: number, samples: number): number {
    const { changes } = this;
    const start = lane * SAMPLES;
    const from = other * SAMPLES;
    let sum = 0;
    for (let i = 0; i < samples; i++) sum += changeCost[(changes[start + i] - changes[from + i]) & 0xff];
    return sum;
  }

  private costOfWide(high: number, low: number, samples: number): number {
    const { changes } = this;
    let sum = 0;
    for (let i = 0; i < samples; i++) {
      // A change of the low byte may have gone over its end, which the changes alone don't tell; that is rare.
      const change =
        (((changes[high * SAMPLES + i] << 8) + ((changes[low * SAMPLES + i] << 24) >> 24)) << 16) >> 16;
      const number = (change << 1) ^ (change >> 31);
      sum += number < 256 ? numberCost[number] : 9 * BIT + numberCost[number >> 8];
    }
    return sum;
  }

  /** Stops where `most` is reached: the sum is of no use then. */
  private costOfRecentChange(lane: number, samples: number, most: number): number {
    const { recent, changes } = this;
    recent.set(recentStart);
    const start = lane * SAMPLES;
    let sum = 0;
    for (let i = start; i < start + samples && sum < most; i++)
      sum += rankCost[moveToFront(recent, changes[i])];
    return sum;
  }

  private costOfRecentValue(columns: Uint8Array, start: number, samples: number, most: number): number {
    const { recent } = this;
    for (let i = 0; i < RECENT; i++) recent[i] = columns[start] + recentStart[i];
    let sum = 0;
    for (let i = start + 1; i <= start + samples && sum < most; i++) {
      sum += rankCost[moveToFront(recent, columns[i])];
    }
    return sum;
  }
}

/** Moves a value to the front and returns where it was; RECENT where it wasn't there: then the last one falls out. */
export function moveToFront(recent: Uint8Array, value: number): number {
  let rank = 0;
  let carried = value;
  for (; rank < PLACES; rank++) {
    const here = recent[rank];
    recent[rank] = carried;
    if (here === value) break;
    carried = here;
  }
  return rank;
}
