import { FleetlogError, isFleetlogError, systemCode } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import type { OrderedStore, StoreOperation } from '@fleetlog/shared/store';
import { Signal, type Clock } from '@fleetlog/shared/util';

export interface GroupCommitLimits {
  /** Longest wait of an operation for others to share its barrier. */
  commitIntervalMs: number;
  /** Bytes queued that are committed at once, without waiting for the interval. */
  commitBytes: number;
  /** Bytes not yet durable above which `room` makes callers wait. */
  queueBytes: number;
}

/** Operations and notes that go into the same write as those that are queued. */
export interface Companions {
  operations: StoreOperation[];
  /** Called once when the write, and everything before it, is durable. */
  durable(): void;
}

/** Changes that may be lost in a crash wait this long for a barrier that they can share. */
const lazyMs = 2000;
const retryMsMin = 100;
const retryMsMax = 5000;
/** A database that refuses so many writes in a row takes none any more: RocksDB has met damage, or a bad disk. */
const refusalsMax = 6;
/** How often a failing store is tried while closing, so that a full disk doesn't keep the process from ending. */
const closingAttempts = 3;

/**
 * Turns many small writes into few atomic ones with one sync barrier each.
 *
 * A write or a barrier that fails is repeated, with the same operations, until it works; until then nothing that is
 * queued counts as durable, and callers meet back-pressure. Repeating is safe since all operations are idempotent.
 * Only where the database refuses again and again for another reason than want of space, it ends, with
 * FLEETLOG_STORE_BROKEN.
 */
export class GroupCommit {
  private queued: StoreOperation[] = [];
  private queuedBytes = 0;
  private committingBytes = 0;
  /** Monotonic time at which what is queued has to be committed; Infinity where nothing is. */
  private dueUs = Infinity;
  private flushes: PromiseWithResolvers<void>[] = [];
  private closing = false;
  private readonly wake = new Signal();
  private readonly drained = new Signal();
  private readonly running: Promise<void>;

  constructor(
    private readonly store: OrderedStore,
    private readonly limits: GroupCommitLimits,
    private readonly companions: () => Companions,
    private readonly clock: Clock,
    private readonly logger: Logger,
    /** The disk is full: makes room, where it can. */
    private readonly whenFull: () => Promise<void> = async () => undefined,
    /** Called once, where nothing can be committed any more. */
    private readonly onBroken: (error: FleetlogError) => void = () => undefined,
  ) {
    this.running = this.run();
    this.running.catch(() => undefined); // told to those who flush or close
  }

  /** Queues an operation whose durability somebody waits for. */
  enqueue(operation: StoreOperation, bytes: number): void {
    const wasIdle = this.queued.length === 0;
    this.queued.push(operation);
    this.queuedBytes += bytes;
    if (wasIdle) this.dueBy(this.limits.commitIntervalMs);
    if (this.queuedBytes >= this.limits.commitBytes) this.wake.set();
  }

  /** There are companions to write, some time. */
  touch(): void {
    if (this.dueUs === Infinity) this.dueBy(lazyMs);
  }

  /** Resolves when less than `queueBytes` wait to become durable. */
  async room(): Promise<void> {
    while (this.queuedBytes + this.committingBytes > this.limits.queueBytes && !this.closing) {
      await this.drained.wait();
    }
  }

  flush(): Promise<void> {
    if (this.closing) return this.running;
    const flush = Promise.withResolvers<void>();
    this.flushes.push(flush);
    this.wake.set();
    return flush.promise;
  }

  /** Commits what is queued and ends. Errors: those of the store, where that kept failing. */
  async close(): Promise<void> {
    this.closing = true;
    this.wake.set();
    await this.running;
  }

  private dueBy(ms: number): void {
    this.dueUs = Math.min(this.dueUs, this.clock.monotonicUs() + ms * 1000);
    this.wake.set();
  }

  private async run(): Promise<void> {
    try {
      while (!this.closing) {
        await this.untilDue();
        await this.commit();
      }
      await this.commit();
    } catch (error) {
      this.closing = true;
      if (isFleetlogError(error, 'FLEETLOG_STORE_BROKEN')) this.onBroken(error);
      throw error;
    } finally {
      this.drained.set();
    }
  }

  private async untilDue(): Promise<void> {
    while (!this.closing && this.flushes.length === 0 && this.queuedBytes < this.limits.commitBytes) {
      const leftMs = (this.dueUs - this.clock.monotonicUs()) / 1000;
      if (leftMs <= 0) return;
      if (leftMs === Infinity) await this.wake.wait();
      else await this.wakeOr(leftMs);
    }
  }

  private async wakeOr(ms: number): Promise<void> {
    const timer = new AbortController();
    try {
      await Promise.race([this.clock.sleep(ms, timer.signal).catch(() => undefined), this.wake.wait()]);
    } finally {
      timer.abort();
    }
  }

  private async commit(): Promise<void> {
    const flushes = this.flushes;
    const needsBarrier = this.queued.length > 0 || flushes.length > 0;
    const companions = this.companions();
    const operations = [...this.queued, ...companions.operations];
    this.committingBytes = this.queuedBytes;
    this.queued = [];
    this.queuedBytes = 0;
    this.flushes = [];
    this.dueUs = Infinity;
    try {
      await this.writeUntilDone(operations, needsBarrier);
    } catch (error) {
      for (const flush of [...flushes, ...this.flushes]) flush.reject(error);
      throw error;
    }
    this.committingBytes = 0;
    companions.durable();
    for (const flush of flushes) flush.resolve();
    this.drained.set();
  }

  private async writeUntilDone(operations: StoreOperation[], barrier: boolean): Promise<void> {
    let refusals = 0;
    for (let attempt = 1; ; attempt++) {
      try {
        await this.store.write(operations);
        if (barrier) await this.store.sync();
        if (attempt > 1) this.logger.info({ attempt }, 'The buffer writes again.');
        return;
      } catch (error) {
        if (this.closing && attempt >= closingAttempts) throw error;
        const code = isFleetlogError(error) ? error.code : undefined;
        if (code === 'FLEETLOG_STORE_FULL' || systemCode(error) === 'ENOSPC') await this.whenFull();
        const message = error instanceof Error ? error.message : String(error);
        refusals = code === 'FLEETLOG_STORE' ? refusals + 1 : 0;
        if (refusals >= refusalsMax) throw broken(message, error);
        this.logger.error({ code, attempt }, `${message} Kept in memory; the buffer tries again.`);
        const backOffMs = Math.min(retryMsMax, retryMsMin * 2 ** (attempt - 1));
        await this.wakeOrClosing(backOffMs);
      }
    }
  }

  /** Waits out a back-off; closing shortens it. */
  private async wakeOrClosing(ms: number): Promise<void> {
    const untilUs = this.clock.monotonicUs() + ms * 1000;
    for (let left = ms; left > 0 && !this.closing; left = (untilUs - this.clock.monotonicUs()) / 1000) {
      await this.wakeOr(left);
    }
    if (this.closing) await this.clock.sleep(Math.min(ms, retryMsMin));
  }
}

const broken = (message: string, cause: unknown): FleetlogError =>
  new FleetlogError(
    'FLEETLOG_STORE_BROKEN',
    `The buffer's database takes no more writes; look at the disk: ${message}`,
    { cause },
  );
