import { decodeBatch, type StreamKind } from '@fleetlog/shared/batch';
import { FleetlogError, isDataError } from '@fleetlog/shared/errors';
import type { BatchFacts, BatchRange, Index } from '../index/index.js';
import type { Log } from '../log/log.js';
import { BatchCursor, isBefore, type Place } from './batch-cursor.js';
import { BatchWalk } from './batch-walk.js';
import { CursorHeap } from './cursor-heap.js';
import { MergeMemory } from './merge-memory.js';
import { RecordPool, type Records } from './records.js';

export interface MergeOptions {
  index: Pick<Index, 'batches'>;
  log: Log;
  range: BatchRange;
  /** What the reader can read. */
  kinds: readonly StreamKind[];
  memory?: MergeMemory | undefined;
  /** Called for each batch; what it throws ends the merge. */
  check?: (() => void) | undefined;
}

/** Consecutive records of a batch; they hold until the next ones are taken. */
export interface RecordRun {
  records: Records;
  from: number;
  to: number;
}

/** Decoded batches of one export; many times what a stream needs whose batches overlap as far as they usually do. */
const memoryBytesMax = 64 * 1024 * 1024;
/** Batches that overlap at one moment, their records in memory or not. */
const overlapMax = 100_000;

/**
 * The records of a stream whose time is in the range, by time; of equal times in the order in which they were captured
 * (epoch, sequence, place in the batch). Constant memory; gap records leave no trace.
 * Errors: those of data, with the place in the log, for a batch that can't be read; FLEETLOG_USAGE for a batch of a
 * kind that the reader can't read.
 */
export async function* mergeRecords(options: MergeOptions): AsyncGenerator<RecordRun> {
  const { index, log, range, kinds, memory = new MergeMemory(memoryBytesMax), check } = options;
  const walk = await BatchWalk.open(index.batches(range), log);
  const heap = new CursorHeap();
  const pool = new RecordPool(range.wants);

  for (;;) {
    const top = heap.top;
    const upcoming = walk.next;
    if (upcoming && (!top || isBefore(startOf(upcoming.facts), top))) {
      if (heap.size >= overlapMax) throw tooManyOverlap(upcoming.facts);
      const cursor = new BatchCursor(upcoming.facts, upcoming.bytes, range.fromUs, range.toUs);
      heap.push(cursor);
      memory.hold(cursor);
      memory.trim(heap, pool);
      await walk.advance();
      check?.();
      continue;
    }
    if (!top) break;
    if (!top.records) {
      const bytes = top.bytes ?? (await readAgain(log, top.facts));
      memory.drop(top, pool);
      top.attach(decode(top.facts, bytes, pool, kinds));
      memory.hold(top);
      memory.trim(heap, pool);
    } else {
      const { from, to } = top.takeRun(earlier(heap.second, upcoming && startOf(upcoming.facts)));
      yield { records: top.records, from, to };
    }
    if (top.exhausted) {
      memory.drop(top, pool);
      heap.pop();
    } else {
      heap.settleTop();
    }
  }
}

/** A batch that wasn't opened yet: none of its records is before this. */
const startOf = ({ firstTimeUs, epochOrder, sequence }: BatchFacts): Place => ({
  timeUs: firstTimeUs,
  epochOrder,
  sequence,
});

const earlier = (a: Place | undefined, b: Place | undefined): Place | undefined =>
  a && b ? (isBefore(a, b) ? a : b) : (a ?? b);

function decode(
  facts: BatchFacts,
  bytes: Uint8Array,
  pool: RecordPool,
  kinds: readonly StreamKind[],
): Records {
  if (!kinds.includes(facts.kind)) {
    throw new FleetlogError(
      'FLEETLOG_USAGE',
      `The range holds records of kind ${facts.kind}, which this format can't write; choose ndjson or another range.`,
    );
  }
  try {
    return pool.decodeCorrected(decodeBatch(bytes), facts.correction);
  } catch (error) {
    if (!isDataError(error)) throw error;
    throw new FleetlogError(error.code, `The log is damaged at ${placeOf(facts)}: ${error.message}`, {
      cause: error,
    });
  }
}

async function readAgain(log: Log, facts: BatchFacts): Promise<Uint8Array> {
  const [entry] = await log.get(facts.partition, [facts.offset]);
  if (entry) return entry.bytes;
  throw new FleetlogError(
    'FLEETLOG_INTERRUPTED',
    `The log was trimmed at ${placeOf(facts)} during the export.`,
  );
}

const placeOf = ({ partition, offset }: BatchFacts): string => `partition ${partition}, offset ${offset}`;

const tooManyOverlap = (facts: BatchFacts): FleetlogError =>
  new FleetlogError(
    'FLEETLOG_BATCH_LIMIT',
    `More than ${overlapMax} batches overlap in time at ${placeOf(facts)}; export a shorter range.`,
  );
