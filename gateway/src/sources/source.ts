import type { BatchClock, EncodedPayload, Origin, StreamKind } from '@fleetlog/shared/batch';

/** A batch as a source hands it over: encoded, not yet numbered. */
export interface SealedBatch {
  payload: EncodedPayload;
  origin: Origin;
  /**
   * Where the source goes on behind this batch, opaque to everybody else; stored in the same write as the batch, so
   * that after a crash no record is read twice or skipped. Absent for sources that can't go back (a bus).
   */
  position?: Uint8Array;
  /** Where the records were stamped with a clock of this machine; otherwise how the clock stands is added later. */
  clock?: BatchClock;
}

/** Where sealed batches go. */
export interface BatchSink {
  /** Resolves when the sink has room for more: back-pressure. The batch is durable later, in order. */
  put(stream: string, batch: SealedBatch): Promise<void>;
}

/** Counters that every source keeps, for status and for the log. */
export interface SourceCounters {
  records: number;
  /** Records that made no sense and were left out, each reported with its place and reason. */
  malformed: number;
  /** Records whose time was before that of the record before them; kept as they are. */
  timeReversals: number;
  /** Sensors and receivers: bytes that belong to no packet. */
  noiseBytes?: number;
  /** CAN adapters: how often they said that they dropped frames. */
  overruns?: number;
  /** Finite sources: how far, bytes of bytes; for progress. */
  positionBytes?: number;
  totalBytes?: number;
}

/** One stream's source: a bus, a serial line, a file. */
export interface Source {
  readonly kind: StreamKind;
  /** True where the source ends by itself (a file). */
  readonly finite: boolean;
  readonly counters: Readonly<SourceCounters>;
  /**
   * Reads from `position` (as stored by an earlier life; undefined at the first start) and puts batches into the sink
   * until the source ends or the signal aborts; on abort what was read is sealed and put before it resolves.
   * Errors: FLEETLOG_SOURCE_MALFORMED (strict), FLEETLOG_CONFIG (file missing), what the sink throws.
   */
  run(sink: BatchSink, position: Uint8Array | undefined, signal: AbortSignal): Promise<void>;
}
