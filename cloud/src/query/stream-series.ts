import { mergeRecords } from '../export/merge.js';
import type { Index } from '../index/index.js';
import type { Log } from '../log/log.js';
import type { Series } from '../signals/decode/decoder.js';
import type { PlannedStream, TimeRange } from './plan.js';

/** What a query reads. */
export interface QueryParts {
  index: Index;
  log: Log;
  /** Called for each batch; what it throws ends the query. */
  check: () => void;
}

/** The values of a stream's columns in a range, decoded from the log. Errors: those of `mergeRecords`. */
export async function* rangeSeries(
  { index, log, check }: QueryParts,
  { gateway, stream, decoder }: Pick<PlannedStream, 'gateway' | 'stream' | 'decoder'>,
  range: TimeRange,
): AsyncGenerator<{ series: Series[] }, undefined> {
  const { kinds, wants } = decoder;
  const wanted = { gateway, stream, ...range, times: 'corrected' as const, wants };
  for await (const { records, from, to } of mergeRecords({ index, log, range: wanted, kinds, check })) {
    for (const series of decoder.decode(records, from, to)) yield { series };
  }
  for (const series of decoder.finish()) yield { series };
  return undefined;
}

/** As `rangeSeries`, in all ranges of the plan. */
export async function* streamSeries(
  parts: QueryParts,
  planned: PlannedStream,
): AsyncGenerator<{ series: Series[] }, undefined> {
  for (const range of planned.ranges) yield* rangeSeries(parts, planned, range);
  return undefined;
}
