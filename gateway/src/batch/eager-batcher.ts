import { Batcher, type BatcherOptions, type RecordColumns } from './batcher.js';

/** Columns of records that have times. */
export interface TimedColumns extends RecordColumns {
  readonly baseTimeUs: number;
}

/**
 * A batcher for records that come in the middle of synchronous work: it seals at once, so that the columns are free
 * for the next record, and lets the caller wait afterwards for the sink to have room.
 */
export class EagerBatcher {
  private readonly batcher: Batcher;
  private readonly columns: TimedColumns;
  private readonly sealing: Promise<void>[] = [];

  constructor(options: BatcherOptions & { columns: TimedColumns }) {
    this.batcher = new Batcher(options);
    this.columns = options.columns;
  }

  /** To be called before a record is appended: seals what is held where its time is too far from the batch's first. */
  makeRoom(timeUs: number): void {
    const { columns, batcher } = this;
    if (columns.count > 0 && Math.abs(timeUs - columns.baseTimeUs) > batcher.limits.spanUs) this.seal();
  }

  /** After each record, with the bytes that the columns hold. */
  recordAdded(heldBytes: number): void {
    if (this.batcher.recordAdded(heldBytes)) this.seal();
  }

  /** Seals what is held; `settled` waits for it. */
  seal(): void {
    this.sealing.push(this.batcher.seal());
  }

  /** Seals a batch whose time is over, and resolves when the sink has room for more. Errors: what the sink throws. */
  async settled(): Promise<void> {
    if (this.batcher.lingerLeftMs() === 0) this.seal();
    while (this.sealing.length > 0) await Promise.all(this.sealing.splice(0));
  }

  /** See `Batcher.lingerLeftMs`. */
  lingerLeftMs(): number {
    return this.batcher.lingerLeftMs();
  }
}
