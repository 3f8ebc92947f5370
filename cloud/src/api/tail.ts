import { decodeBatch, type Batch, type BatchHeader } from '@fleetlog/shared/batch';
import { isDataError } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import { Signal } from '@fleetlog/shared/util';
import { RecordPool } from '../export/records.js';
import type { StreamFilter } from '../index/index.js';
import type { TimeCorrection } from '../time/correction.js';
import type { Log, LogEntry } from '../log/log.js';
import { tailPieces, type TailFormat } from './tail-format.js';

export interface TailOptions {
  log: Log;
  filter: StreamFilter;
  format: TailFormat;
  /** Where to begin, by partition; those that can't hold what is asked for are left out. */
  starts: readonly { partition: number; offset: number }[];
  /** How the times of a batch are corrected; undefined where they are wanted as stamped. */
  correct: ((header: BatchHeader) => Promise<TimeCorrection | undefined>) | undefined;
  /** An empty line goes out where nothing else did for so long: tells a quiet stream from a dead connection. */
  heartbeatMs: number;
  logger: Logger;
  signal: AbortSignal;
}

/** Where a tail begins: at the end of the log, or with what was received at or after `fromUs`. */
export async function tailStarts(
  log: Log,
  { gateway }: StreamFilter,
  fromUs: number | undefined,
): Promise<TailOptions['starts']> {
  const only = gateway === undefined ? undefined : log.partitionOf(gateway);
  const ends = log.ends().filter(({ partition }) => only === undefined || partition === only);
  return Promise.all(
    ends.map(async ({ partition, next }) => ({
      partition,
      offset: fromUs === undefined ? next : await log.offsetAt(partition, fromUs),
    })),
  );
}

/** The records of batches as they enter the log, at the pace of the reader: nothing is read that it hasn't asked for. */
export async function* tail(options: TailOptions): AsyncGenerator<Uint8Array> {
  const { log, filter, format, starts, correct, heartbeatMs, logger, signal } = options;
  const pool = new RecordPool();
  for await (const entry of merged(log, starts, heartbeatMs, signal)) {
    if (!entry) {
      yield Buffer.from('\n');
      continue;
    }
    try {
      const batch = decodeBatch(entry.bytes);
      if (!matches(batch, filter)) continue;
      const records = pool.decodeCorrected(batch, await correct?.(batch.header));
      yield* tailPieces(format, batch.header, records);
      pool.release(records);
    } catch (error) {
      if (!isDataError(error)) throw error;
      const { partition, offset } = entry;
      logger.warn({ partition, offset, code: error.code }, `left out of a tail: ${error.message}`);
    }
  }
}

const matches = ({ header }: Batch, { gateway, stream }: StreamFilter): boolean =>
  header.codec !== 'gap-1' &&
  (gateway === undefined || gateway === header.gateway) &&
  (stream === undefined || stream === header.stream);

/** Entries of several partitions, at most one of each waiting; undefined after a quiet time. */
async function* merged(
  log: Log,
  starts: TailOptions['starts'],
  quietMs: number,
  signal: AbortSignal,
): AsyncGenerator<LogEntry | undefined> {
  const stop = new AbortController();
  const stopped = AbortSignal.any([signal, stop.signal]);
  const waiting: LogEntry[] = [];
  const arrived = new Signal();
  const taken = new Signal();
  let failure: { error: unknown } | undefined;
  const pump = async (partition: number, offset: number): Promise<void> => {
    try {
      for await (const entry of log.follow(partition, offset, stopped)) {
        waiting.push(entry);
        arrived.set();
        while (waiting.includes(entry)) await taken.wait(stopped);
      }
    } catch (error) {
      failure ??= { error };
    } finally {
      arrived.set();
    }
  };
  const pumps = starts.map(({ partition, offset }) => pump(partition, offset));
  try {
    while (!stopped.aborted) {
      const entry = waiting.shift();
      if (entry) {
        taken.set();
        yield entry;
      } else if (failure) {
        throw failure.error;
      } else {
        const quiet = new AbortController();
        const timer = setTimeout(() => quiet.abort(), quietMs);
        await arrived.wait(quiet.signal).catch(() => {}); // looked at below
        clearTimeout(timer);
        if (quiet.signal.aborted && waiting.length === 0) yield undefined;
      }
    }
  } finally {
    stop.abort(new Error('the tail ended'));
    await Promise.all(pumps);
  }
}
