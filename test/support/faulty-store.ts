import { FleetlogError } from '@fleetlog/shared/errors';
import type { KeyRange, OrderedStore, ScanOptions, StoreEntry, StoreOperation } from '@fleetlog/shared/store';

/** A store whose writes and syncs fail while they are told to, and which counts both. */
export class FaultyStore implements OrderedStore {
  failWrite: Error | undefined;
  failSync: Error | undefined;
  /** Keys for which reads fail. */
  failRead: (key: Uint8Array) => boolean = () => false;
  /** Syncs don't resolve while this is pending. */
  holdSync: Promise<void> | undefined;
  writes = 0;
  syncs = 0;

  constructor(private readonly store: OrderedStore) {}

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    if (this.failRead(key)) throw new FleetlogError('FLEETLOG_STORE', 'A read failed.');
    return this.store.get(key);
  }

  async getMany(keys: Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    if (keys.some((key) => this.failRead(key))) throw new FleetlogError('FLEETLOG_STORE', 'A read failed.');
    return this.store.getMany(keys);
  }

  entries(range: KeyRange, options?: ScanOptions): AsyncIterable<StoreEntry> {
    return this.store.entries(range, options);
  }

  async write(operations: readonly StoreOperation[]): Promise<void> {
    this.writes++;
    if (this.failWrite) throw this.failWrite;
    return this.store.write(operations);
  }

  async sync(): Promise<void> {
    this.syncs++;
    await this.holdSync;
    if (this.failSync) throw this.failSync;
    return this.store.sync();
  }

  diskBytes(): Promise<number> {
    return this.store.diskBytes();
  }

  compact(options?: { rewriteShare?: number }): Promise<void> {
    return this.store.compact(options);
  }

  checkpoint(folder: string): Promise<void> {
    return this.store.checkpoint(folder);
  }

  close(): Promise<void> {
    return this.store.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.store.close();
  }
}
