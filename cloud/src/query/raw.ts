import { mergeRecords } from '../export/merge.js';
import type { Index } from '../index/index.js';
import type { Log } from '../log/log.js';
import type { Series } from '../signals/decode/decoder.js';
import { ColumnDecoder } from '../signals/column-decoder.js';
import type { StreamSignal } from '../signals/stream-signal.js';
import { RowMerge } from './series-merge.js';
import type { RowWriter } from './row-formats.js';

/** A signal that is asked for. */
export interface QueryColumn {
  /** As it was asked for. */
  name: string;
  /** One signal as the databases of different times have it, never empty. */
  signals: readonly StreamSignal[];
}

export interface RawQuery {
  index: Pick<Index, 'batches'>;
  log: Log;
  gateway: string;
  columns: readonly QueryColumn[];
  /** Inclusive, exclusive. */
  fromUs: number;
  toUs: number;
  writer: RowWriter;
}

const chunkChars = 64 * 1024;

/**
 * Every value of the signals in the range, by time, in constant memory. Yields chunks that belong to the caller.
 * Errors: those of `mergeRecords`.
 */
export async function* queryRaw({ columns, writer, ...query }: RawQuery): AsyncGenerator<Uint8Array> {
  const byStream = Map.groupBy(columns.keys(), (column) => columns[column].signals[0].stream);
  const sources = Array.from(byStream, ([stream, own]) => ({
    source: seriesOf(query, stream, new ColumnDecoder(own.map((column) => columns[column].signals))),
    columns: own,
  }));
  try {
    const merge = new RowMerge(sources, columns.length);
    let text = writer.head;
    for (;;) {
      const next = merge.next();
      const timeUs = typeof next === 'number' ? next : await next;
      if (timeUs === Infinity) break;
      text += writer.row(timeUs, merge.row);
      if (text.length < chunkChars) continue;
      yield Buffer.from(text);
      text = '';
    }
    if (text !== '') yield Buffer.from(text);
  } finally {
    for (const { source } of sources) await source.return(undefined);
  }
}

async function* seriesOf(
  { index, log, gateway, fromUs, toUs }: Omit<RawQuery, 'columns' | 'writer'>,
  stream: string,
  decoder: ColumnDecoder,
): AsyncGenerator<Series[], undefined> {
  const { kinds, wants } = decoder;
  const range = { gateway, stream, fromUs, toUs, times: 'corrected' as const, wants };
  for await (const { records, from, to } of mergeRecords({ index, log, range, kinds })) {
    yield* decoder.decode(records, from, to);
  }
  return undefined;
}
