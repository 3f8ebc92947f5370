/** Samples that must agree before anything is believed, and that are looked at. */
const samplesMin = 5;
const samplesMax = 16;
/** Samples that are further apart don't agree. */
const spreadUsMax = 2_000_000;

/**
 * The last readings of a source of time, each true time − monotonic time in µs. One absurd reading changes nothing: a
 * source that tells something new must say so several times.
 */
export class AgreeingSamples {
  private readonly samplesUs: number[] = [];

  /** What the last samples agree on; undefined where there are too few. */
  add(sampleUs: number): { latestUs: number; largestUs: number; spreadUs: number } | undefined {
    const { samplesUs } = this;
    samplesUs.push(sampleUs);
    if (samplesUs.length > samplesMax) samplesUs.shift();
    if (spreadOf(samplesUs) > spreadUsMax) samplesUs.splice(0, samplesUs.length - 1);
    if (samplesUs.length < samplesMin) return undefined;
    return { latestUs: sampleUs, largestUs: Math.max(...samplesUs), spreadUs: spreadOf(samplesUs) };
  }
}

const spreadOf = (samplesUs: readonly number[]): number => Math.max(...samplesUs) - Math.min(...samplesUs);
