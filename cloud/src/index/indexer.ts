import type { Logger } from '@fleetlog/shared/log';
import type { OrderedStore } from '@fleetlog/shared/store';
import { Signal, type Clock } from '@fleetlog/shared/util';
import type { Log, LogEntry } from '../log/log.js';
import { fingerprint, type Checkpoint } from './checkpoint.js';
import { IndexGroup, put, readEntry, type ReadEntry } from './group.js';
import { encodeJson } from './json-value.js';
import { checkpointKey } from './keys.js';
import type { BootCache } from './boot-cache.js';
import type { StreamCache } from './stream-cache.js';
import { TrimGroup } from './trim-group.js';
import type { IndexTrim } from './types.js';

const groupEntriesMaxDefault = 2048;
const groupBytesMax = 8 * 1024 * 1024;
const retryMs = 1000;
/** Reading on for so long means that much comes in, or that the machine has much else to do. */
const busyUs = 20_000;
const pauseMsMax = 1000;

/** Follows one partition of the log from its checkpoint, and writes entries and checkpoint together. */
export class PartitionIndexer {
  private turn: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly partition: number,
    private at: Checkpoint,
    private readonly parts: {
      log: Log;
      store: OrderedStore;
      cache: StreamCache;
      boots: BootCache;
      logger: Logger;
      clock: Clock;
      /** Set after each write. */
      progress: Signal;
      groupEntriesMax?: number;
    },
  ) {}

  get checkpoint(): Readonly<Checkpoint> {
    return this.at;
  }

  /** Runs until the signal aborts. A store or log that fails is tried again: the index only falls behind. */
  async run(signal: AbortSignal): Promise<void> {
    const { log, logger, clock } = this.parts;
    while (!signal.aborted) {
      try {
        if (this.at.next < this.logEnd()) await this.readOnAndPause(signal);
        else await log.grew.wait(signal);
      } catch (error) {
        if (signal.aborted) return;
        logger.error({ error, partition: this.partition }, 'indexing failed; it goes on from its checkpoint');
        await clock.sleep(retryMs, signal).catch(() => {}); // the loop looks at the signal
      }
    }
  }

  /**
   * A pause as long as the work gives a busy machine to those who write the log, and lets more come together: batches
   * of one stream that are indexed together cost about as much as one.
   */
  private async readOnAndPause(signal: AbortSignal): Promise<void> {
    const { clock } = this.parts;
    const beganUs = clock.monotonicUs();
    await this.readOn(signal);
    const tookUs = clock.monotonicUs() - beganUs;
    if (tookUs < busyUs) return;
    await clock.sleep(Math.min(pauseMsMax, tookUs / 1000), signal).catch(() => undefined); // the loop looks at the signal
  }

  /** What the log has beyond the checkpoint. Its last offsets may be gone (trimmed, damaged): nothing comes of them. */
  private async readOn(signal: AbortSignal): Promise<void> {
    const end = this.logEnd();
    const { log, groupEntriesMax = groupEntriesMaxDefault, progress } = this.parts;
    let group: LogEntry[] = [];
    let bytes = 0;
    for await (const entry of log.read(this.partition, this.at.next)) {
      if (signal.aborted) return;
      group.push(entry);
      bytes += entry.bytes.length;
      if (group.length < groupEntriesMax && bytes < groupBytesMax) continue;
      await this.add(group);
      group = [];
      bytes = 0;
    }
    if (group.length > 0) await this.add(group);
    await this.inTurn(async () => {
      if (this.at.next >= end) return;
      this.at = { ...this.at, next: end };
      progress.set();
    });
  }

  private add(group: readonly LogEntry[]): Promise<void> {
    return this.inTurn(() => this.index(group));
  }

  private logEnd(): number {
    return this.parts.log.ends().find(({ partition }) => partition === this.partition)?.next ?? 0;
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
