import type { BatchRange } from '../index/index.js';
import type { PlannedStream } from '../query/plan.js';
import type { QueryParts } from '../query/stream-series.js';
import { ChunkBuffer } from './chunks.js';
import { mergedRecords } from './export.js';
import { McapFile } from './mcap-file.js';
import { McapSignalFormatter } from './mcap-signals.js';
import { McapFormatter } from './mcap.js';
import { SignalRows, type SignalColumn } from './signals.js';

export interface MixedExportOptions extends QueryParts {
  /** Streams whose records are told. */
  ranges: readonly BatchRange[];
  /** Streams that signals are decoded from, the same or others. */
  streams: readonly PlannedStream[];
  columns: readonly SignalColumn[];
}

/**
 * One MCAP file with the records of streams, the positions that receivers tell, and values of signals, all by time: the
 * values of a frame come behind it. Constant memory. Yields chunks that belong to the caller.
 * Errors: those of `mergeRecords`.
 */
export async function* exportMixed(options: MixedExportOptions): AsyncGenerator<Uint8Array> {
  const { index, log, ranges, streams, columns } = options;
  const file = new McapFile();
  const formatter = new McapFormatter(file);
  const signals = new McapSignalFormatter(columns, file);
  await using rows = new SignalRows(options, streams, columns.length);
  const out = new ChunkBuffer();
  let rowUs = await rows.next();
  for await (const { source, records, from, to } of mergedRecords({ index, log, ranges, formatter })) {
    const { baseTimeUs, timeOffsetUs } = records.columns;
    for (let at = from; at < to;) {
      for (const untilUs = baseTimeUs + timeOffsetUs[at]; rowUs < untilUs; rowUs = await rows.next()) {
        yield* out.add(signals.row(rowUs, rows.values));
      }
      let end = at + 1;
      while (end < to && baseTimeUs + timeOffsetUs[end] <= rowUs) end++;
      yield* out.add(formatter.format(records, at, end, source));
      at = end;
    }
  }
  for (; rowUs < Infinity; rowUs = await rows.next()) yield* out.add(signals.row(rowUs, rows.values));
  formatter.finishFixes();
  yield* out.add(signals.end());
  yield* out.take();
}
