import type { PlannedStream } from '../query/plan.js';
import { RowMerge } from '../query/series-merge.js';
import { streamSeries, type QueryParts } from '../query/stream-series.js';
import type { StreamSignal } from '../signals/stream-signal.js';
import { ChunkBuffer } from './chunks.js';
import { McapSignalFormatter } from './mcap-signals.js';
import { ParquetSignalFormatter } from './parquet-signals.js';

/** A signal that is exported. */
export interface SignalColumn {
  /** As it was asked for. */
  name: string;
  signals: readonly StreamSignal[];
}

/** Writes the values of signals in one format. One object per export. */
export interface SignalFormatter {
  /** Values by column, undefined where the column has none at this time. Returns what is complete. */
  row(timeUs: number, values: readonly (number | undefined)[]): Uint8Array;
  end(): Uint8Array;
}

interface SignalFormat {
  contentType: string;
  create(columns: readonly SignalColumn[]): SignalFormatter;
}

/** Formats of signals that text has no place for; csv and ndjson come from a query. */
export const signalFormats = {
  parquet: {
    contentType: 'application/vnd.apache.parquet',
    create: (columns) => new ParquetSignalFormatter(columns),
  },
  mcap: {
    contentType: 'application/octet-stream',
    create: (columns) => new McapSignalFormatter(columns),
  },
} as const satisfies Record<string, SignalFormat>;

export interface SignalExportOptions extends QueryParts {
  streams: readonly PlannedStream[];
  columns: number;
  formatter: SignalFormatter;
}

/** Rows of signals, and the streams that they come from, which want to be closed. */
export class SignalRows implements AsyncDisposable {
  private readonly sources;
  private readonly merge: RowMerge;

  constructor(parts: QueryParts, streams: readonly PlannedStream[], columns: number) {
    this.sources = streams.map((planned) => ({
      source: streamSeries(parts, planned),
      columns: planned.columns,
    }));
    this.merge = new RowMerge(this.sources, columns);
  }

  /** Of the row that `next` went to. */
  get values(): readonly (number | undefined)[] {
    return this.merge.row;
  }

  /** Time of the next row; Infinity behind the last. */
  next(): number | Promise<number> {
    return this.merge.next();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { source } of this.sources) await source.return(undefined);
  }
}

/** Every value of the signals, by time, in constant memory. Yields chunks that belong to the caller. */
export async function* exportSignals(options: SignalExportOptions): AsyncGenerator<Uint8Array> {
  const { streams, columns, formatter } = options;
  await using rows = new SignalRows(options, streams, columns);
  const out = new ChunkBuffer();
  for (;;) {
    const next = rows.next();
    const timeUs = typeof next === 'number' ? next : await next;
    if (timeUs === Infinity) break;
    const bytes = formatter.row(timeUs, rows.values);
    if (bytes.length > 0) yield* out.add(bytes);
  }
  yield* out.add(formatter.end());
  yield* out.take();
}
