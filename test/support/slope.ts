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

/** Of the line through the samples (least squares), bytes an hour. */
export function slopePerHour(samples: readonly Sample[]): number {
  const mean = (value: (sample: Sample) => number): number =>
    samples.reduce((sum, sample) => sum + value(sample), 0) / samples.length;
  const meanHours = mean(({ hours }) => hours);
  const meanBytes = mean(({ bytes }) => bytes);
  const covariance = mean(({ hours, bytes }) => (hours - meanHours) * (bytes - meanBytes));
  return covariance / mean(({ hours }) => (hours - meanHours) ** 2);
}
