import type { BatchRange, Index } from '../index/index.js';
import type { Log } from '../log/log.js';
import { ChunkBuffer } from './chunks.js';
import type { Formatter } from './formatter.js';
import type { MergeMemory } from './merge-memory.js';
import { mergeRecords } from './merge.js';

export interface ExportOptions {
  index: Pick<Index, 'batches'>;
  log: Log;
  range: BatchRange;
  formatter: Formatter;
  memory?: MergeMemory;
}

/** What `mergeRecords` gives, written in a format. Yields chunks that belong to the caller. Errors: those of it. */
export async function* exportRecords(options: ExportOptions): AsyncGenerator<Uint8Array> {
  const { formatter, ...merge } = options;
  const out = new ChunkBuffer();
  for await (const { records, from, to } of mergeRecords({ ...merge, kinds: formatter.kinds })) {
    yield* out.add(formatter.format(records, from, to));
  }
  if (formatter.end) yield* out.add(formatter.end());
  yield* out.take();
}
