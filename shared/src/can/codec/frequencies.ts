/*
 * table  = size { weight }      ; 7 bits: symbols 0 … size - 1, the last of which has a weight; then 4 bits each
 *
 * A weight stands for a relative frequency: `weightValues[weight]`, steps of 2^(3/4). `normalize` turns the weights of
 * a table into frequencies of sum 2^FREQUENCY_BITS. Tables that no symbol uses have size 0.
 */
export const FREQUENCY_BITS = 9;
export const FREQUENCY_SUM = 1 << FREQUENCY_BITS;
/** Least state of the coder between two symbols; states are below 2^31. */
export const STATE_MIN = 1 << 15;
export const SIZE_BITS = 7;
export const WEIGHT_BITS = 4;
/** Symbols of a table at most. */
export const SYMBOLS_MAX = 64;

const weightValues = Uint16Array.of(0, 1, 2, 3, 5, 8, 13, 23, 38, 64, 108, 181, 304, 512, 861, 1448);

/** The weight whose value is nearest to `share` of the largest, never 0. */
export function weightOf(share: number): number {
  const weight = 15 + Math.round(Math.log2(share) / 0.75);
  return weight < 1 ? 1 : weight;
}

/**
 * Weights of one table (from `base`) to frequencies of sum FREQUENCY_SUM: 1 for each that is not 0, and the rest by
 * value; what rounding leaves goes to the first symbol of the largest weight.
 */
export function normalize(weights: Uint8Array, base: number, size: number, frequencies: Uint16Array): void {
  let sum = 0;
  let used = 0;
  let largest = base;
  for (let i = base; i < base + size; i++) {
    const weight = weights[i];
    sum += weightValues[weight];
    used += -weight >>> 31;
    if (weight > weights[largest]) largest = i;
  }
  const shared = FREQUENCY_SUM - used;
  let left = shared;
  for (let i = base; i < base + size; i++) {
    const value = weightValues[weights[i]];
    const more = Math.floor((value * shared) / sum);
    frequencies[i] = value === 0 ? 0 : 1 + more;
    left -= more;
  }
  frequencies[largest] += left;
}
