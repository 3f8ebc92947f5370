import { FleetlogError } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import type { OrderedStore } from '@fleetlog/shared/store';
import { Signal, type Clock } from '@fleetlog/shared/util';
import { BootRecords, type OnBootTouched } from './boot-records.js';
import type { Checkpoint } from './checkpoint.js';
import { PartitionIndexer } from './indexer.js';
import type { LogPages } from './log-pages.js';
import { StreamCache } from './stream-cache.js';
import type { IndexTrim } from './types.js';

const syncEveryMs = 5000;

/** The part of an index that writes it. */
export interface IndexWriter {
  /** Set after each write. */
  readonly progress: Signal;
  /** By partition. */
  readonly checkpoints: readonly Readonly<Checkpoint>[];
  /** Takes out what the log has trimmed; it is durable when it resolves. */
  trim(partition: number, trim: IndexTrim): Promise<void>;
  /** Resolves when nothing is written any more. */
  stop(): Promise<void>;
}

export interface FollowerParts {
  store: OrderedStore;
  pages: LogPages;
  logger: Logger;
  clock: Clock;
  onBootTouched: OnBootTouched;
}

/** Follows all partitions of a log from their checkpoints, and writes what it reads to a store. */
export class IndexFollower implements IndexWriter {
  readonly progress = new Signal();
  private readonly stopping = new AbortController();
  private readonly indexers: PartitionIndexer[];
  private readonly running: Promise<unknown>;

  constructor(
    checkpoints: readonly Checkpoint[],
    private readonly parts: FollowerParts,
  ) {
    const { store, onBootTouched } = parts;
    const { progress } = this;
    const boots = new BootRecords(store, onBootTouched);
    const own = { ...parts, cache: new StreamCache(store), boots, progress };
    this.indexers = checkpoints.map((at, partition) => new PartitionIndexer(partition, at, own));
    const { signal } = this.stopping;
    this.running = Promise.all([
      ...this.indexers.map((indexer) => indexer.run(signal)),
      this.syncNowAndThen(),
    ]);
  }

  get checkpoints(): readonly Readonly<Checkpoint>[] {
    return this.indexers.map(({ checkpoint }) => checkpoint);
  }

  trim(partition: number, trim: IndexTrim): Promise<void> {
    return this.indexers[partition].trim(trim);
  }

  async stop(): Promise<void> {
    this.stopping.abort(new FleetlogError('FLEETLOG_INTERRUPTED', 'The index was closed.'));
    await this.running;
  }

  /** Without it a loss of power costs the work of indexing since the last table file, nothing else. */
  private async syncNowAndThen(): Promise<void> {
    const { clock, logger, store } = this.parts;
    const { signal } = this.stopping;
    while (!signal.aborted) {
      await clock.sleep(syncEveryMs, signal).catch(() => {}); // the loop looks at the signal
      await store.sync().catch((error: unknown) => logger.warn({ error }, 'the index was not synced'));
    }
  }
}
