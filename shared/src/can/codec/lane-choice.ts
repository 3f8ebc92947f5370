import {
  CHANGE,
  CONSTANT,
  CURVE,
  DISTANCE,
  PLAIN,
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
/** Changes that a choice looks at. */
const SAMPLES = 32;
/** More varying lanes than this aren't searched for checksums: the search is quadratic. */
const SUM_LANES_MAX = 16;

/*
 * Rough costs in bits. What they are worth is only the ratio, so they needn't be exact: about 2 bits for the sign and
 * the leading one, and the digits behind it.
 */
const numberBits = Float64Array.from({ length: 256 }, (_, u) => (u === 0 ? 0.6 : 1.6 + 1.15 * Math.log2(u)));
/** The same by signed change, as an unsigned byte. */
const changeBits = Float64Array.from(
  { length: 256 },
  (_, byte) => numberBits[byte < 128 ? 2 * byte : 511 - 2 * byte],
);
const rankBits = Float64Array.of(0.6, 1.8, 2.5, 3, 3.4, 3.7, 4, 3 + 8);

/** Chooses how to tell each lane of a channel. Encoder only: the reader is told. Reused from channel to channel. */
export class LaneChoice {
  readonly kind = new Uint8Array(FRAME_DATA_BYTES_MAX);
  /** Of DISTANCE: the other lane. */
  readonly other = new Uint8Array(FRAME_DATA_BYTES_MAX);
  /** Of the lane of kind SUM, which is one at most: 1 for each lane that is added to it. */
  readonly isSummand = new Uint8Array(FRAME_DATA_BYTES_MAX);
  private readonly bits = new Float64Array(FRAME_DATA_BYTES_MAX);
  private readonly recent = new Uint8Array(RECENT);
  private readonly sums = new Uint8Array(SAMPLES);
  private readonly varying = new Uint8Array(FRAME_DATA_BYTES_MAX);

  /**
   * `columns` holds the lanes one after the other, `frames` bytes each; `kind` says CONSTANT or something else on
   * entry.
   */
  choose(columns: Uint8Array, frames: number, lanes: number): void {
    const { kind, bits, varying } = this;
    const samples = Math.min(frames - 1, SAMPLES);
    let count = 0;
    let noisy = 0;
    const noise = 1.5 * samples + 4;
    for (let lane = 0; lane < lanes; lane++) {
      if (kind[lane] === CONSTANT) continue;
      varying[count++] = lane;
      kind[lane] = CHANGE;
      bits[lane] = bitsOfChange(columns, lane * frames, samples);
      if (bits[lane] > noise) noisy++;
    }
    const sumLane = noisy >= 2 && count <= SUM_LANES_MAX ? this.findSum(columns, frames, samples, count) : -1;
    for (let i = 0; i < count; i++) {
      const lane = varying[i];
      if (lane === sumLane) continue;
      if (bits[lane] > 0.7 * samples + 2) this.chooseOne(columns, frames, samples, i, sumLane);
    }
    for (let i = 0; i + 1 < count; i++) {
      const lane = varying[i];
      const next = varying[i + 1];
      if (next !== lane + 1 || lane === sumLane || next === sumLane || kind[next] === DISTANCE) continue;
      if (bits[next] <= samples || this.isReferred(lane, count) || this.isReferred(next, count)) continue;
      const wide = bitsOfWide(columns, lane * frames, next * frames, samples);
      if (wide >= bits[lane] + bits[next]) continue;
      kind[lane] = WIDE;
      kind[next] = WIDE;
      i++;
    }
  }

  private chooseOne(columns: Uint8Array, frames: number, samples: number, at: number, sumLane: number): void {
    const { kind, bits, varying } = this;
    const lane = varying[at];
    const start = lane * frames;
    let best = bits[lane];
    const recentChange = this.bitsOfRecentChange(columns, start, samples);
    if (recentChange < best) {
      best = recentChange;
      kind[lane] = RECENT_CHANGE;
    }
    const recentValue = this.bitsOfRecentValue(columns, start, samples);
    if (recentValue < best) {
      best = recentValue;
      kind[lane] = RECENT_VALUE;
    }
    const curve = bitsOfCurve(columns, start, samples);
    if (curve < best) {
      best = curve;
      kind[lane] = CURVE;
    }
    for (let i = 0; i < at; i++) {
      const other = varying[i];
      if (other === sumLane || bits[other] < samples) continue;
      const distance = bitsOfDistance(columns, start, other * frames, samples) + 4;
      if (distance < best) {
        best = distance;
        kind[lane] = DISTANCE;
        this.other[lane] = other;
      }
    }
    if (8 * samples <= best) {
      best = 8 * samples;
      kind[lane] = PLAIN;
    }
    bits[lane] = best;
  }

  /**
   * Looks for a checksum: a set of lanes whose sum hardly changes. Starts from all varying lanes and leaves out what
   * disturbs. Returns the set's noisiest lane, which the sum then stands for, or -1.
   */
  private findSum(columns: Uint8Array, frames: number, samples: number, count: number): number {
    const { kind, bits, sums, varying, isSummand } = this;
    sums.fill(0);
    isSummand.fill(0);
    for (let i = 0; i < count; i++) {
      const start = varying[i] * frames;
      isSummand[varying[i]] = 1;
      for (let j = 0; j < samples; j++) sums[j] += columns[start + j + 1] - columns[start + j];
    }
    let best = 0;
    for (let j = 0; j < samples; j++) best += changeBits[sums[j]];
    for (let left = count; left > 2; left--) {
      let without = -1;
      for (let i = 0; i < count; i++) {
        if (isSummand[varying[i]] === 0) continue;
        const start = varying[i] * frames;
        let sumBits = 0;
        for (let j = 0; j < samples; j++) {
          sumBits += changeBits[(sums[j] - columns[start + j + 1] + columns[start + j]) & 0xff];
        }
        if (sumBits < best) {
          best = sumBits;
          without = varying[i];
        }
      }
      if (without < 0) break;
      isSummand[without] = 0;
      const start = without * frames;
      for (let j = 0; j < samples; j++) sums[j] -= columns[start + j + 1] - columns[start + j];
    }
    let noisiest = -1;
    for (let i = 0; i < count; i++) {
      const lane = varying[i];
      if (isSummand[lane] && (noisiest < 0 || bits[lane] > bits[noisiest])) noisiest = lane;
    }
    if (best + count >= 0.7 * bits[noisiest]) return -1;
    kind[noisiest] = SUM;
    isSummand[noisiest] = 0;
    return noisiest;
  }

  private isReferred(lane: number, count: number): boolean {
    for (let i = 0; i < count; i++) {
      if (this.kind[this.varying[i]] === DISTANCE && this.other[this.varying[i]] === lane) return true;
    }
    return false;
  }

  private bitsOfRecentChange(columns: Uint8Array, start: number, samples: number): number {
    const { recent } = this;
    recent.set(recentStart);
    let bits = 0;
    for (let i = start; i < start + samples; i++) {
      bits += rankBits[moveToFront(recent, (columns[i + 1] - columns[i]) & 0xff)];
    }
    return bits;
  }

  private bitsOfRecentValue(columns: Uint8Array, start: number, samples: number): number {
    const { recent } = this;
    for (let i = 0; i < RECENT; i++) recent[i] = columns[start] + recentStart[i];
    let bits = 0;
    for (let i = start + 1; i <= start + samples; i++) bits += rankBits[moveToFront(recent, columns[i])];
    return bits;
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

function bitsOfChange(columns: Uint8Array, start: number, samples: number): number {
  let bits = 0;
  for (let i = start; i < start + samples; i++) bits += changeBits[(columns[i + 1] - columns[i]) & 0xff];
  return bits;
}

function bitsOfCurve(columns: Uint8Array, start: number, samples: number): number {
  let bits = 0;
  let before = 0;
  for (let i = start; i < start + samples; i++) {
    const change = columns[i + 1] - columns[i];
    bits += changeBits[(change - before) & 0xff];
    before = change;
  }
  return bits;
}

function bitsOfDistance(columns: Uint8Array, start: number, other: number, samples: number): number {
  let bits = 0;
  for (let i = 0; i < samples; i++) {
    const change = columns[start + i + 1] - columns[start + i];
    bits += changeBits[(change - columns[other + i + 1] + columns[other + i]) & 0xff];
  }
  return bits;
}

function bitsOfWide(columns: Uint8Array, high: number, low: number, samples: number): number {
  let bits = 0;
  for (let i = 0; i < samples; i++) {
    const change =
      ((((columns[high + i + 1] - columns[high + i]) << 8) + columns[low + i + 1] - columns[low + i]) <<
        16) >>
      16;
    const number = change < 0 ? -2 * change - 1 : 2 * change;
    bits += number < 256 ? numberBits[number] : 9 + numberBits[number >> 8];
  }
  return bits;
}
