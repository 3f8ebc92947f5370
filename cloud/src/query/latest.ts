import { ColumnDecoder } from '../signals/column-decoder.js';
import type { StreamSignal } from '../signals/stream-signal.js';
import type { TimeRange } from './plan.js';
import { rangeSeries, type QueryParts } from './stream-series.js';

/** The last value of a signal. */
export interface LatestValue {
  signal: StreamSignal;
  timeUs: number;
  value: number;
}

/** What is looked at first, and how much more each time, as most signals are said several times a second. */
const firstLookUs = 2_000_000;
const growth = 8;

/**
 * The last values of the signals of one stream in a range, by name; those that weren't said in it are missing. Looks at
 * the end first, and further back for those that are still wanted. Errors: those of `mergeRecords`.
 */
export async function latestValues(
  parts: QueryParts,
  stream: { gateway: string; stream: string },
  signals: readonly StreamSignal[],
  { fromUs, toUs }: TimeRange,
): Promise<Map<string, LatestValue>> {
  const found = new Map<string, LatestValue>();
  const wanted = Map.groupBy(signals, ({ name }) => name);
  let lookUs = firstLookUs;
  for (let endUs = toUs; endUs > fromUs && wanted.size > 0; lookUs *= growth) {
    const startUs = Math.max(fromUs, endUs - lookUs);
    const columns = [...wanted.values()];
    const decoder = new ColumnDecoder(columns);
    const look = { fromUs: startUs, toUs: endUs };
    for await (const { series } of rangeSeries(parts, { ...stream, decoder }, look)) {
      for (const [k, { count, times, values }] of series.entries()) {
        if (count === 0) continue;
        const timeUs = times[count - 1];
        const signal = columns[k].find((one) => isAt(one, timeUs)) ?? columns[k][0];
        found.set(signal.name, { signal, timeUs, value: values[count - 1] });
      }
    }
    for (const name of found.keys()) wanted.delete(name);
    endUs = startUs;
  }
  return found;
}

const isAt = ({ fromUs = -Infinity, toUs = Infinity }: StreamSignal, timeUs: number): boolean =>
  fromUs <= timeUs && timeUs < toUs;
