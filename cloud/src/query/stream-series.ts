import { ColumnReader } from '../columns/series.js';
import type { ColumnStore } from '../columns/store.js';
import { mergeRecords } from '../export/merge.js';
import { minuteUs } from '../index/changes.js';
import type { Index } from '../index/index.js';
import type { Log } from '../log/log.js';
import type { Series } from '../signals/decode/decoder.js';
import type { PlannedStream, TimeRange } from './plan.js';

/** What a query reads. */
export interface QueryParts {
  index: Index;
  log: Log;
  /** Minutes that are kept by identifier; undefined where none are. */
  columnStore?: ColumnStore | undefined;
  /** Called for each batch, or minute; what it throws ends the query. */
  check: () => void;
}

type Wanted = Pick<PlannedStream, 'gateway' | 'stream' | 'decoder'>;
type SeriesParts = AsyncGenerator<{ series: Series[] }, undefined>;

/**
 * The values of a stream's columns in a range: of minutes that are kept by identifier, as far as there are such, else
 * decoded from the log. It is the same either way. Errors: those of `mergeRecords`.
 */
export async function* rangeSeries(parts: QueryParts, wanted: Wanted, range: TimeRange): SeriesParts {
  const reader = ColumnReader.of(parts.columnStore, wanted);
  if (!reader) return yield* loggedSeries(parts, wanted, range);
  for await (const part of reader.parts(parts.index, range)) {
    if (!part.isKept) yield* loggedSeries(parts, wanted, part);
    else yield* keptSeries(parts, wanted, reader, part);
  }
  return undefined;
}

async function* keptSeries(
  parts: QueryParts,
  wanted: Wanted,
  reader: ColumnReader,
  range: TimeRange,
): SeriesParts {
  for await (const { startUs, series: answers } of reader.series(range)) {
    parts.check();
    if (answers) for (const series of answers) yield { series };
    else yield* loggedSeries(parts, wanted, { fromUs: startUs, toUs: startUs + minuteUs });
  }
  return undefined;
}

async function* loggedSeries(
  { index, log, check }: QueryParts,
  { gateway, stream, decoder }: Wanted,
  range: TimeRange,
): SeriesParts {
  const { kinds, wants } = decoder;
  const wanted = { gateway, stream, ...range, times: 'corrected' as const, wants };
  for await (const { records, from, to } of mergeRecords({ index, log, range: wanted, kinds, check })) {
    for (const series of decoder.decode(records, from, to)) yield { series };
  }
  for (const series of decoder.finish()) yield { series };
  return undefined;
}

/** As `rangeSeries`, in all ranges of the plan. */
export async function* streamSeries(parts: QueryParts, planned: PlannedStream): SeriesParts {
  for (const range of planned.ranges) yield* rangeSeries(parts, planned, range);
  return undefined;
}
