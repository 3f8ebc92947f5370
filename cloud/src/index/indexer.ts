import type { Logger } from '@fleetlog/shared/log';
import type { OrderedStore } from '@fleetlog/shared/store';
import type { Clock, Signal } from '@fleetlog/shared/util';
import type { LogEntry } from '../log/log.js';
import type { BootRecords } from './boot-records.js';
import { fingerprint, type Checkpoint } from './checkpoint.js';
import { IndexGroup, put, readEntry, type ReadEntry } from './group.js';
import { encodeJson } from './json-value.js';
import { checkpointKey } from './keys.js';
import type { LogPage, LogPages } from './log-pages.js';
import type { StreamCache } from './stream-cache.js';
import { TrimGroup } from './trim-group.js';
import type { IndexTrim } from './types.js';

const retryMs = 1000;
const pauseMsMax = 1000;
/** What comes within so long is indexed together: to be woken for each write of the log would cost more than the work. */
const pauseMsMin = 20;

/** Follows one partition of the log from its checkpoint, and writes entries and checkpoint together. */
export class PartitionIndexer {
  private turn: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly partition: number,
    private at: Checkpoint,
    private readonly parts: {
      pages: LogPages;
      store: OrderedStore;
      cache: StreamCache;
      boots: BootRecords;
      logger: Logger;
      clock: Clock;
      /** Set after each write. */
      progress: Signal;
    },
  ) {}

  get checkpoint(): Readonly<Checkpoint> {
    return this.at;
  }

  /**
   * Runs until the signal aborts. A store or log that fails is tried again: the index only falls behind.
   *
   * A pause as long as the work gives a busy machine to those who write the log, and lets more come together: batches
   * of one stream that are indexed together cost about as much as one.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { pages, logger, clock } = this.parts;
    let workedUs = 0;
    while (!signal.aborted) {
      try {
        const page = await pages.next(this.partition, this.at.next, signal);
        const beganUs = clock.monotonicUs();
        await this.add(page);
        workedUs += clock.monotonicUs() - beganUs;
        if (!page.isWhole) continue;
        const pauseMs = Math.min(pauseMsMax, Math.max(pauseMsMin, workedUs / 1000));
        workedUs = 0;
        await clock.sleep(pauseMs, signal);
      } catch (error) {
        if (signal.aborted) return;
        logger.error({ error, partition: this.partition }, 'indexing failed; it goes on from its checkpoint');
        await clock.sleep(retryMs, signal).catch(() => {}); // the loop looks at the signal
      }
    }
  }

  private add({ entries, end, isWhole }: LogPage): Promise<void> {
    return this.inTurn(async () => {
      if (entries.length > 0) await this.index(entries);
      if (!isWhole || this.at.next >= end) return;
      this.at = { ...this.at, next: end };
      this.parts.progress.set();
    });
  }

  private async index(entries: readonly LogEntry[]): Promise<void> {
    const { store, cache, boots, progress } = this.parts;
    const group = new IndexGroup(cache, boots);
    let { skipped } = this.at;
    const reads = entries.map((entry) => this.read(entry));
    await group.prepare(reads.flatMap((read) => read?.header ?? []));
    for (const [i, read] of reads.entries()) {
      if (read) await group.add(entries[i], read);
      else skipped++;
    }
    const last = entries[entries.length - 1];
    const { trims } = this.at;
    const next: Checkpoint = { next: last.offset + 1, skipped, trims, last: fingerprint(last) };
    await group.commit(store, put(checkpointKey(this.partition), encodeJson(next)));
    this.at = next;
    progress.set();
  }

  /** Takes out what the log has trimmed. Errors: those of the store. */
  trim({ number, streams }: IndexTrim): Promise<void> {
    return this.inTurn(async () => {
      const { store, cache, boots } = this.parts;
      const group = new TrimGroup(store, cache, boots);
      for (const { gateway, stream, offsets } of streams) await group.remove(gateway, stream, offsets);
      const next = { ...this.at, trims: number };
      await group.commit(put(checkpointKey(this.partition), encodeJson(next)));
      this.at = next;
      await store.sync();
    });
  }

  /** What comes and what goes change the same facts of a stream: one at a time. */
  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.turn.then(work);
    this.turn = result.catch(() => undefined); // whoever asked for it gets the error
    return result;
  }

  /** Whatever is wrong with an entry, it doesn't stop the index. */
  private read(entry: LogEntry): ReadEntry | undefined {
    try {
      return readEntry(entry);
    } catch (error) {
      const { partition, offset } = entry;
      this.parts.logger.warn({ error, partition, offset }, 'an entry of the log is left out of the index');
      return undefined;
    }
  }
}
