import { mkdir, readdir, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { FleetlogError, systemCode } from '../errors/index.js';
import { clearInfoLogs, cutGrowing, emptyFolder, linkFiles } from './checkpoint.js';
import { loadRocksDb, type NativeDatabase, type NativeScan } from './binding.js';
import type { KeyRange, OrderedStore, ScanOptions, StoreEntry, StoreOperation } from './store.js';
import { Signal } from '../util/index.js';
import { WalSync } from './wal-sync.js';

export interface RocksDbOptions {
  /** Folder, made where it is missing. One process at a time. */
  path: string;
  /** What people know this folder as, for the sentence that says it is in use. */
  purpose: string;
  /** Memory for writes before they go to a table file; large saves disk writes where data are soon trimmed. */
  writeBufferBytes?: number;
  /** Values of at least `bytesMin` live in files of their own, which compaction doesn't rewrite. */
  blobs?: BlobOptions;
  /** Nothing is changed, no lock is taken, and a folder that isn't there is an error. */
  readOnly?: boolean;
  /** Open table files at most; bounds memory. */
  openFilesMax?: number;
  /** False where each value is read about once: spares the 32 MiB that RocksDB would fill with what was read. */
  blockCache?: boolean;
}

interface BlobOptions {
  bytesMin: number;
  fileBytes: number;
}

/** Opens a store. Errors: FLEETLOG_LOCKED, FLEETLOG_STORE, FLEETLOG_STORE_FULL, FLEETLOG_PLATFORM. */
export async function openRocksDb(options: RocksDbOptions): Promise<OrderedStore> {
  const RocksDb = loadRocksDb();
  const {
    path,
    purpose,
    writeBufferBytes = 16 * 1024 * 1024,
    blobs,
    openFilesMax = 256,
    blockCache = true,
    readOnly = false,
  } = options;
  try {
    if (!readOnly) await mkdir(path, { recursive: true });
    if (!readOnly) await removeIdleFiles(path);
  } catch (cause) {
    throw openError(path, purpose, cause);
  }
  const db = new RocksDb(path, {
    readOnly,
    createIfMissing: !readOnly,
    writeBufferSize: writeBufferBytes,
    maxWriteBufferNumber: 2,
    enableBlobFiles: blobs !== undefined,
    minBlobSize: blobs?.bytesMin ?? 0,
    blobFileSize: blobs?.fileBytes ?? 0,
    // It would rewrite the oldest quarter of the values with each compaction: only `compact` asks for it. Files that
    // hold nothing more go anyway.
    enableBlobGarbageCollection: false,
    maxBackgroundJobs: 2,
    maxOpenFiles: openFilesMax,
    blockCache,
    tableCacheIndexAndFilterBlocks: blockCache, // without a cache they belong to the open file
    maxFileOpeningThreads: 2,
    skipStatsUpdateOnOpen: true,
    avoidFlushDuringShutdown: true, // the write-ahead log has it; a clean end need not cost a table file
  });
  try {
    await db.ready();
  } catch (cause) {
    throw openError(path, purpose, cause);
  }
  return new RocksDbStore(db, path);
}

/**
 * RocksDB keeps up to 1000 info logs and adds one at each start. And what a repair of the file system made a folder of
 * can't be locked or written to; nobody holds a lock on one.
 */
async function removeIdleFiles(path: string): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const { name } = entry;
    const isInTheWay = entry.isDirectory() && /^(LOCK|LOG|IDENTITY)$/.test(name);
    if (isInTheWay || name.startsWith('LOG.old.'))
      await rm(join(path, name), { force: true, recursive: true });
  }
}

function openError(path: string, purpose: string, cause: unknown): FleetlogError {
  const text = describe(cause);
  if (/lock file|\/LOCK\b/i.test(text)) {
    return new FleetlogError(
      'FLEETLOG_LOCKED',
      `The ${purpose} ${path} is in use by another process; stop that one or choose another folder.`,
      { cause },
    );
  }
  const code = systemCode(cause);
  if (isFull(cause)) {
    return new FleetlogError('FLEETLOG_STORE_FULL', `No space left on the disk of the ${purpose} ${path}.`, {
      cause,
    });
  }
  if (code === 'EACCES' || code === 'EROFS' || code === 'ENOTDIR' || code === 'EEXIST') {
    return new FleetlogError(
      'FLEETLOG_CONFIG',
      `The ${purpose} ${path} can't be used (${code}); choose a folder that this user may write.`,
      { cause },
    );
  }
  return new FleetlogError('FLEETLOG_STORE', `The ${purpose} ${path} doesn't open: ${text}`, { cause });
}

/** The binding's own errors tell it in words. */
const isFull = (cause: unknown): boolean =>
  systemCode(cause) === 'ENOSPC' || /no space left/i.test(describe(cause));

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}

class RocksDbStore implements OrderedStore {
  private readonly wal: WalSync;
  private closing: Promise<void> | undefined;
  private readonly scans = new Set<NativeScan>();
  /** The barrier that runs or ran last; never rejects. */
  private lastSync: Promise<void> = Promise.resolve();
  /** The barrier that hasn't begun: it covers whoever asks until then. */
  private nextSync: Promise<void> | undefined;
  private flushBeforeSync = false;
  private writesRunning = 0;
  /** Writes wait for it, while a checkpoint is taken. */
  private still: PromiseWithResolvers<void> | undefined;
  private readonly wrote = new Signal();

  constructor(
    private readonly db: NativeDatabase,
    private readonly path: string,
  ) {
    this.wal = new WalSync(path, async () => (await db.currentWalFile()).path);
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    this.checkOpen();
    try {
      return (await this.db.get(key)) ?? undefined;
    } catch (cause) {
      throw this.failure('read', cause);
    }
  }

  async getMany(keys: Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    this.checkOpen();
    if (keys.length === 0) return [];
    const batch = this.db.read({ capacity: keys.length });
    try {
      const reads = keys.map((key) => batch.get(key));
      batch.tryFlush();
      const results = await Promise.allSettled(reads);
      return results.map((result) => {
        if (result.status === 'rejected') throw this.failure('read', result.reason);
        return result.value ?? undefined;
      });
    } finally {
      batch.destroy();
    }
  }

  async *entries(range: KeyRange, options: ScanOptions = {}): AsyncIterable<StoreEntry> {
    this.checkOpen();
    const { reverse = false, limit = Infinity, keysOnly = false, prefetch = 64 } = options;
    const capacity = Math.max(1, Math.min(prefetch, limit));
    const scan = this.db.iterator(range, { reverse, limit, values: !keysOnly, capacity });
    this.scans.add(scan);
    try {
      for await (const { key, value } of scan) {
        yield { key, value: value ?? empty };
        this.checkOpen();
      }
      this.checkOpen(); // a scan that `close` destroyed ends as if it were done
    } catch (cause) {
      if (cause instanceof FleetlogError) throw cause;
      throw this.failure('read', cause);
    } finally {
      this.scans.delete(scan);
    }
  }

  async write(operations: readonly StoreOperation[]): Promise<void> {
    this.checkOpen();
    if (operations.length === 0) return;
    while (this.still) await this.still.promise;
    this.checkOpen();
    const batch = this.db.write({ capacity: operations.length });
    this.writesRunning++;
    try {
      for (const operation of operations) {
        if (operation.type === 'put') batch.tryPut(operation.key, operation.value);
        else if (operation.type === 'delete') batch.tryDelete(operation.key);
        else batch.tryDeleteRange(operation.gte, operation.lt);
      }
      await batch.flush();
    } catch (cause) {
      throw this.failure('write', cause);
    } finally {
      batch.destroy();
      this.writesRunning--;
      this.wrote.set();
    }
  }

  async checkpoint(folder: string): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      this.checkOpen();
      try {
        await emptyFolder(folder);
        await this.db.flush(); // so that little is left that has to be copied
        await cutGrowing(folder, await this.whileStill(() => linkFiles(this.path, folder)));
        await (await openRocksDb({ path: folder, purpose: 'checkpoint', readOnly: true })).close();
        return await clearInfoLogs(folder);
      } catch (cause) {
        // A compaction that ended between two looks at the folder: the next time it is another moment.
        if (attempt === checkpointAttempts) throw this.failure('checkpoint', cause);
      }
    }
  }

  /** Waits for the writes that run; others wait for `work`. */
  private async whileStill<T>(work: () => Promise<T>): Promise<T> {
    while (this.still) await this.still.promise;
    const still = Promise.withResolvers<void>();
    this.still = still;
    try {
      while (this.writesRunning > 0) await this.wrote.wait();
      return await work();
    } finally {
      this.still = undefined;
      still.resolve();
    }
  }

  /** One barrier at a time; those who ask while one runs share the next. */
  async sync(): Promise<void> {
    this.checkOpen();
    if (!this.nextSync) {
      const sync = this.lastSync.then(() => {
        this.nextSync = undefined;
        return this.syncNow();
      });
      this.nextSync = sync;
      this.lastSync = sync.catch(() => {}); // told to those who wait for it
    }
    return this.nextSync;
  }

  private async syncNow(): Promise<void> {
    try {
      if (this.flushBeforeSync) {
        await this.db.flush();
        this.flushBeforeSync = false;
      }
      await this.wal.sync();
    } catch (cause) {
      this.flushBeforeSync = true;
      const text = describe(cause);
      throw new FleetlogError('FLEETLOG_SYNC', `Sync of ${this.path} failed: ${text}`, { cause });
    }
  }

  /** Tables and values as RocksDB says, since they may be many; the others are few and asked for one by one. */
  async diskBytes(): Promise<number> {
    this.checkOpen();
    let bytes = 0;
    for (const name of ['rocksdb.total-sst-files-size', 'rocksdb.total-blob-file-size']) {
      bytes += Number(await this.db.getProperty(name)) || 0;
    }
    for (const name of await readdir(this.path)) {
      if (/\.(sst|blob)$/.test(name)) continue;
      bytes += await allocatedBytes(join(this.path, name));
    }
    return bytes;
  }

  /** RocksDB's info log grows with each compaction; what it says is of use only while it is new. */
  private async cutInfoLog(): Promise<void> {
    const log = join(this.path, 'LOG');
    if ((await allocatedBytes(log)) > infoLogBytesMax) await truncate(log).catch(() => undefined);
  }

  async compact({ rewriteShare = 0 }: { rewriteShare?: number } = {}): Promise<void> {
    this.checkOpen();
    await this.cutInfoLog();
    try {
      await this.db.compactRange(null, null, {
        blobGarbageCollectionPolicy: rewriteShare > 0 ? collectBlobs.force : collectBlobs.never,
        blobGarbageCollectionAgeCutoff: rewriteShare,
        bottommostLevelCompaction: forceBottommost,
      });
    } catch (cause) {
      throw this.failure('write', cause);
    }
  }

  close(): Promise<void> {
    return (this.closing ??= this.closeOnce());
  }

  private async closeOnce(): Promise<void> {
    for (const scan of this.scans) scan.destroy(); // the database waits for open iterators for ever
    await this.lastSync;
    await this.wal.close();
    await this.db.close({ force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private checkOpen(): void {
    if (this.closing) throw new FleetlogError('FLEETLOG_INTERRUPTED', `The store ${this.path} is closed.`);
  }

  private failure(what: 'read' | 'write' | 'checkpoint', cause: unknown): FleetlogError {
    const full = isFull(cause);
    return full
      ? new FleetlogError('FLEETLOG_STORE_FULL', `No space left on the disk of ${this.path}.`, { cause })
      : new FleetlogError('FLEETLOG_STORE', `A ${what} of ${this.path} failed: ${describe(cause)}`, {
          cause,
        });
  }
}

/** True where bytes on disk aren't those that were written: they won't come back by trying again. */
export const isDamage = (error: unknown): boolean =>
  error instanceof FleetlogError && /(CRC|checksum) mismatch|corrupt/i.test(error.message);

/**
 * True where the disk gave an error instead of bytes; perhaps for a moment only. It is told in words alone: the
 * binding's code for any damage is EIO.
 */
export const isDiskError = (error: unknown): boolean =>
  /\bi(nput)?\/o(utput)? error\b/i.test(describe(error));

const checkpointAttempts = 5;
const infoLogBytesMax = 256 * 1024;

/** What a file takes on disk; the info log, once cut, has a hole in front. */
async function allocatedBytes(path: string): Promise<number> {
  const { blocks, size } = await stat(path).catch(() => ({ blocks: 0, size: 0 })); // gone since
  return Math.min(size, blocks * 512);
}

/* RocksDB's numbers for these. */
const collectBlobs = { force: 1, never: 2 } as const;
const forceBottommost = 2;

const empty = new Uint8Array(0);
