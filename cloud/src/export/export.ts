import type { BatchRange, Index } from '../index/index.js';
import type { Log } from '../log/log.js';
import { ChunkBuffer } from './chunks.js';
import type { Formatter } from './formatter.js';
import { MergeMemory } from './merge-memory.js';
import { mergeRecords } from './merge.js';
import { mergeStreams, type StreamRun } from './merge-streams.js';

export interface ExportOptions {
  index: Pick<Index, 'batches'>;
  log: Log;
  /** Streams of which the formatter can write several, or one. */
  ranges: readonly BatchRange[];
  formatter: Formatter;
  memory?: MergeMemory;
}

/** Decoded batches of all streams of one export; each holds at least what it needs at the moment. */
const memoryBytesMax = 64 * 1024 * 1024;

/** The records of all streams by time, as `mergeRecords` gives them of each. Errors: those of it. */
export function mergedRecords(options: ExportOptions): AsyncGenerator<StreamRun> {
  const { formatter, ranges, index, log } = options;
  const { kinds } = formatter;
  return mergeStreams(
    ranges.map((range) => ({
      source: { gateway: range.gateway, stream: range.stream },
      runs: mergeRecords({
        index,
        log,
        range,
        kinds,
        memory: options.memory ?? new MergeMemory(memoryBytesMax / ranges.length),
      }),
    })),
  );
}

/** `mergedRecords`, written in a format. Yields chunks that belong to the caller. Errors: those of it. */
export async function* exportRecords(options: ExportOptions): AsyncGenerator<Uint8Array> {
  const { formatter } = options;
  const out = new ChunkBuffer();
  for await (const { source, records, from, to } of mergedRecords(options)) {
    yield* out.add(formatter.format(records, from, to, source));
  }
  if (formatter.end) yield* out.add(formatter.end());
  yield* out.take();
}
