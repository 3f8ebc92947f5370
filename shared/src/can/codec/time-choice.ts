/** The largest power of ten, up to a second, that divides all times of the batch (µs). */
export function chooseUnit(offsetUs: Int32Array, count: number): number {
  let unit = 1_000_000;
  for (let i = 0; i < count && unit > 1; i++) {
    while (offsetUs[i] % unit !== 0) unit /= 10;
  }
  return unit;
}

/** Spacings that adapters and operating systems have: USB microframes of 125 µs, timers of 1 ms and more. */
const GRIDS_US = [125, 250, 1000, 10_000];
const SAMPLES = 128;

/**
 * The spacing (units) of the moments at which the source looks, 0 where times show none: the one that promises the
 * fewest bits for deviations and ticks on a sample.
 */
export function chooseGrid(offsetUs: Int32Array, count: number, unit: number): number {
  const samples = Math.min(count, SAMPLES);
  let best = 0;
  let bestBits = bitsWithout(offsetUs, samples, unit);
  for (const grid of GRIDS_US) {
    if (grid < 4 * unit || grid % unit !== 0) continue;
    const bits = bitsWith(offsetUs, samples, grid);
    if (bits < bestBits) {
      best = grid / unit;
      bestBits = bits;
    }
  }
  return best;
}

function bitsWithout(offsetUs: Int32Array, samples: number, unit: number): number {
  let bits = 0;
  for (let i = 1; i < samples; i++) bits += digits(Math.abs(offsetUs[i] - offsetUs[i - 1]) / unit);
  return bits;
}

function bitsWith(offsetUs: Int32Array, samples: number, grid: number): number {
  const half = grid >> 1;
  let bits = 0;
  let ticksBefore = 0;
  for (let i = 1; i < samples; i++) {
    const difference = offsetUs[i] - offsetUs[i - 1];
    const ticks = Math.floor((difference + half) / grid);
    bits += 1 + digits(Math.abs(difference - ticks * grid));
    if (ticks === 0) continue;
    if (ticks !== ticksBefore) bits += 3;
    ticksBefore = ticks;
  }
  return bits;
}

const digits = (value: number): number => 32 - Math.clz32(value);
