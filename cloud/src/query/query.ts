import { BucketRows, type BucketOptions } from './bucket-rows.js';
import type { PlannedStream } from './plan.js';
import { RowBytes } from './row-bytes.js';
import type { RowWriter } from './row-formats.js';
import type { ColumnPart, RowSource } from './row-source.js';
import { RowMerge } from './series-merge.js';
import { streamSeries, type QueryParts } from './stream-series.js';
import type { QueryWatch } from './watch.js';

export interface QueryOptions extends QueryParts {
  /** Where sums come from: the log, or what is kept of them. */
  sumsOf: (planned: PlannedStream, everyUs: number) => AsyncGenerator<ColumnPart, undefined>;
  streams: readonly PlannedStream[];
  columns: number;
  /** Undefined for every value. */
  buckets: Omit<BucketOptions, 'columns'> | undefined;
  writer: RowWriter;
  watch: QueryWatch;
}

const chunkBytes = 64 * 1024;

/**
 * The values of some signals by time, or what they sum up to in buckets, in constant memory. Yields chunks that belong
 * to the caller. Where a limit ends it, `watch.stop` says so. Errors: those of `mergeRecords`.
 */
export async function* query(options: QueryOptions): AsyncGenerator<Uint8Array> {
  const { streams, columns, buckets, writer, watch, sumsOf } = options;
  const opened: AsyncGenerator<ColumnPart>[] = [];
  const open = <T extends ColumnPart>(
    read: (planned: PlannedStream) => AsyncGenerator<T, undefined>,
  ): { source: AsyncGenerator<T, undefined>; columns: readonly number[] }[] =>
    streams.map((planned) => {
      const source = read(planned);
      opened.push(source);
      return { source, columns: planned.columns };
    });
  try {
    const rows = buckets
      ? new BucketRows(
          open((planned) => sumsOf(planned, buckets.everyUs)),
          { ...buckets, columns },
        )
      : new RowMerge(
          open((planned) => streamSeries(options, planned)),
          columns,
        );
    yield* chunksOf(rows, writer, watch);
  } finally {
    for (const source of opened) await source.return(undefined);
  }
}

async function* chunksOf(rows: RowSource, writer: RowWriter, watch: QueryWatch): AsyncGenerator<Uint8Array> {
  const out = new RowBytes(chunkBytes + chunkBytes / 4);
  out.text(writer.head);
  const one = [0];
  let left = watch.limits.rowsMax;
  let lastUs = -Infinity;
  for (;;) {
    let timeUs: number;
    try {
      const next = rows.next();
      timeUs = typeof next === 'number' ? next : await next;
    } catch (error) {
      watch.failed(error, lastUs + 1);
      break;
    }
    if (timeUs === Infinity) break;
    if (left-- === 0) {
      watch.stop = { reason: 'rows', atUs: timeUs };
      break;
    }
    lastUs = timeUs;
    writer.row(timeUs, rows.row, out);
    if (out.length >= chunkBytes) yield out.take();
    const run = rows.nextRun?.(left);
    if (!run) continue;
    const { times, values, from, to } = run;
    for (let i = from; i < to; i++) {
      one[0] = values[i];
      writer.row(times[i], one, out);
      if (out.length >= chunkBytes) yield out.take();
    }
    if (to > from) lastUs = times[to - 1];
    left -= to - from;
  }
  if (out.length > 0) yield out.take();
}
