import type { BatchClock, EncodedPayload, Origin } from '@fleetlog/shared/batch';
import type { Clock } from '@fleetlog/shared/util';
import type { BatchSink } from '../sources/source.js';
import type { BatchLimits } from './limits.js';

/** Records as columns: `CanFrames`, `TextLines`. */
export interface RecordColumns {
  readonly count: number;
  clear(): void;
}

export interface BatcherOptions {
  stream: string;
  origin: Origin;
  limits: BatchLimits;
  sink: BatchSink;
  clock: Clock;
  columns: RecordColumns;
  /** Returns a payload of its own: the columns are cleared right after. */
  encode: () => EncodedPayload;
  /** The clock that the records of this payload were stamped with, where it is one of this machine. */
  clockOf?: (payload: EncodedPayload) => BatchClock | undefined;
}

/**
 * Turns the records of one stream into sealed batches. A feed appends to `columns` and tells of each record; who runs
 * the feed seals when the batch is full, when its time is over, and at the end.
 */
export class Batcher {
  readonly columns: RecordColumns;
  readonly limits: BatchLimits;
  /** True where the batch has reached its limit of records or bytes. */
  full = false;
  private startedUs = 0;

  constructor(private readonly options: BatcherOptions) {
    this.columns = options.columns;
    this.limits = options.limits;
  }

  /** After each record, with the bytes that the columns hold; returns `full`. */
  recordAdded(heldBytes: number): boolean {
    const { count } = this.columns;
    if (count === 1) this.startedUs = this.options.clock.monotonicUs();
    if (count >= this.limits.records || heldBytes >= this.limits.bytes) this.full = true;
    return this.full;
  }

  /** Until the batch's time is over; 0 where it is, Infinity where the batch is empty. */
  lingerLeftMs(): number {
    if (this.columns.count === 0) return Infinity;
    const sinceMs = (this.options.clock.monotonicUs() - this.startedUs) / 1000;
    return Math.max(0, this.limits.lingerMs - sinceMs);
  }

  /**
   * Seals what is held, if anything, and hands it over with the place where the source goes on. Resolves when the sink
   * has room for more. Errors: what the sink throws; the batch is gone then, and `position` wasn't stored.
   */
  async seal(position?: Uint8Array): Promise<void> {
    const { columns, encode, clockOf, origin, sink, stream } = this.options;
    if (columns.count === 0) return;
    const payload = encode();
    const stamped = clockOf?.(payload);
    columns.clear();
    this.full = false;
    await sink.put(stream, {
      payload,
      origin,
      ...(position && { position }),
      ...(stamped && { clock: stamped }),
    });
  }
}
