import { Worker } from 'node:worker_threads';
import { FleetlogError } from '@fleetlog/shared/errors';
import type { KeyRange, ScanOptions, StoreEntry, StoreOperation } from '@fleetlog/shared/store';
import { Signal } from '@fleetlog/shared/util';
import type { OnBootTouched } from '../boot-records.js';
import type { Checkpoint } from '../checkpoint.js';
import type { IndexWriter } from '../follower.js';
import { pagesOf } from '../log-pages.js';
import { indexWith, type IndexOptions, type IndexStore } from '../rocksdb-index.js';
import type { Index, IndexTrim } from '../types.js';
import type { ParentCalls, ThreadCalls } from './calls.js';
import { movedPage, packPieces, unpackEntries, unpackPieces } from './packed.js';
import { Rpc } from './rpc.js';

type Thread = Rpc<ParentCalls, ThreadCalls>;

/**
 * Opens the index in a folder of its own and follows the log in a thread of its own, so that what comes in doesn't wait
 * for what is indexed. Otherwise as `openIndex`.
 */
export async function openIndexInThread({
  path,
  ...options
}: Omit<IndexOptions, 'groupEntriesMax'> & { path: string }): Promise<Index> {
  const { log, logger } = options;
  const stopping = new AbortController();
  const pages = pagesOf(log);
  const worker = new Worker(new URL('./worker.js', import.meta.url));
  const writer = new ThreadWriter();
  const thread: Thread = new Rpc<ParentCalls, ThreadCalls>(worker, {
    logPage: async (partition, offset) => movedPage(await pages.next(partition, offset, stopping.signal)),
    progress: async ({ checkpoints, boots }) => writer.followed(checkpoints, boots),
    say: async (level, facts, message) => logger[level](facts, message),
  });
  const end = async (): Promise<void> => {
    const closed = new FleetlogError('FLEETLOG_INTERRUPTED', 'The index was closed.');
    stopping.abort(closed);
    await thread.call('close');
    thread.end(closed);
    await worker.terminate();
  };
  worker.once('exit', () => {
    // What it threw was thrown here, too, where nobody waits for it.
    if (!stopping.signal.aborted) throw new Error('The thread of the index ended.');
  });
  try {
    await thread.call('open', path);
    return await indexWith(new ThreadStore(thread, end), options, (checkpoints, onBootTouched) =>
      writer.start(thread, checkpoints, onBootTouched),
    );
  } catch (error) {
    await end();
    throw error;
  }
}

class ThreadWriter implements IndexWriter {
  readonly progress = new Signal();
  checkpoints: readonly Readonly<Checkpoint>[] = [];
  private thread: Thread | undefined;
  private onBootTouched: OnBootTouched | undefined;

  async start(thread: Thread, checkpoints: readonly Checkpoint[], onTouched: OnBootTouched): Promise<this> {
    this.thread = thread;
    this.checkpoints = checkpoints;
    this.onBootTouched = onTouched;
    await thread.call('follow', checkpoints);
    return this;
  }

  followed(
    checkpoints: readonly Readonly<Checkpoint>[],
    boots: readonly (readonly [string, boolean])[],
  ): void {
    this.checkpoints = checkpoints;
    for (const [gateway, changed] of boots) this.onBootTouched?.(gateway, changed);
    this.progress.set();
  }

  async trim(partition: number, trim: IndexTrim): Promise<void> {
    await this.thread?.call('trim', partition, trim);
  }

  async stop(): Promise<void> {
    await this.thread?.call('stop');
  }
}

/** Entries of a page that goes from thread to thread, where nobody says how many. */
const pageEntries = 256;

class ThreadStore implements IndexStore {
  constructor(
    private readonly thread: Thread,
    private readonly end: () => Promise<void>,
  ) {}

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    const [value] = await this.getMany([key]);
    return value;
  }

  async getMany(keys: Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return unpackPieces(await this.thread.call('getMany', packPieces(keys)));
  }

  async *entries({ gte, lt }: KeyRange, options: ScanOptions = {}): AsyncGenerator<StoreEntry> {
    // Copies, since what goes to a thread takes all of the memory that it is a view of.
    const left = { gte: new Uint8Array(gte), lt: new Uint8Array(lt) };
    let { limit = Infinity } = options;
    const pageMax = Math.max(pageEntries, options.prefetch ?? 0);
    while (limit > 0) {
      const wanted = Math.min(limit, pageMax);
      const page = { ...options, limit: wanted, prefetch: wanted };
      const entries = unpackEntries(await this.thread.call('page', left, page));
      yield* entries;
      if (entries.length < wanted) return;
      limit -= wanted;
      const last = entries[entries.length - 1].key;
      if (options.reverse) left.lt = new Uint8Array(last);
      else left.gte = Uint8Array.of(...last, 0);
    }
  }

  write(operations: readonly StoreOperation[]): Promise<void> {
    return this.thread.call('write', operations);
  }

  diskBytes(): Promise<number> {
    return this.thread.call('diskBytes');
  }

  close(): Promise<void> {
    return this.end();
  }
}
