/** What was measured at a time. */
export interface Sample {
  hours: number;
  bytes: number;
}

/** The least of each span of time, at the time where it was: garbage that isn't collected yet doesn't count. */
export function leastOfEach(samples: readonly Sample[], spanHours: number): Sample[] {
  const least = new Map<number, Sample>();
  for (const sample of samples) {
    const span = Math.floor(sample.hours / spanHours);
    const before = least.get(span);
    if (!before || sample.bytes < before.bytes) least.set(span, sample);
  }
  return [...least.values()];
}

export interface Trend {
  /** Bytes an hour. */
  perHour: number;
  /** It is between these with a certainty of 95 %. */
  low: number;
  high: number;
}

/**
 * How fast samples grow: the median of the slopes between all pairs (Theil–Sen), which single outliers don't move, and
 * its interval of confidence by Kendall's statistic (Sen 1968, "Estimates of the regression coefficient based on
 * Kendall's tau", section 6). Needs four samples or more.
 */
export function trendOf(samples: readonly Sample[]): Trend {
  const slopes = samples.flatMap((to, i) =>
    samples.slice(0, i).map((from) => (to.bytes - from.bytes) / (to.hours - from.hours)),
  );
  slopes.sort((a, b) => a - b);
  const n = samples.length;
  const halfWidth = 1.96 * Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18);
  const at = (place: number): number => slopes[Math.max(0, Math.min(slopes.length - 1, Math.round(place)))];
  return {
    perHour: at((slopes.length - 1) / 2),
    low: at((slopes.length - halfWidth) / 2 - 1),
    high: at((slopes.length + halfWidth) / 2),
  };
}
