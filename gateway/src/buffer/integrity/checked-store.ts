import { FleetlogError } from '@fleetlog/shared/errors';
import type { KeyRange, OrderedStore, ScanOptions, StoreEntry, StoreOperation } from '@fleetlog/shared/store';
import { openValue, sealValue } from './sealed-value.js';

/** A store whose values are sealed: what comes out is what was put for that key, or FLEETLOG_STORE. */
export class CheckedStore implements OrderedStore {
  constructor(private readonly store: OrderedStore) {}

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return opened(key, await this.store.get(key));
  }

  async getMany(keys: Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    const values = await this.store.getMany(keys);
    return values.map((value, i) => opened(keys[i], value));
  }

  async *entries(range: KeyRange, options: ScanOptions = {}): AsyncIterable<StoreEntry> {
    for await (const { key, value } of this.store.entries(range, options)) {
      yield { key, value: options.keysOnly ? value : (opened(key, value) ?? value) };
    }
  }

  write(operations: readonly StoreOperation[]): Promise<void> {
    return this.store.write(
      operations.map((operation) =>
        operation.type === 'put'
          ? { ...operation, value: sealValue(operation.key, operation.value) }
          : operation,
      ),
    );
  }

  sync(): Promise<void> {
    return this.store.sync();
  }

  compact(options?: { rewriteShare?: number }): Promise<void> {
    return this.store.compact(options);
  }

  checkpoint(folder: string): Promise<void> {
    return this.store.checkpoint(folder);
  }

  diskBytes(): Promise<number> {
    return this.store.diskBytes();
  }

  close(): Promise<void> {
    return this.store.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.store.close();
  }
}

function opened(key: Uint8Array, sealed: Uint8Array | undefined): Uint8Array | undefined {
  if (!sealed) return undefined;
  const value = openValue(key, sealed);
  if (value) return value;
  throw new FleetlogError(
    'FLEETLOG_STORE',
    'A value of the buffer isn\'t what was stored; look at the disk, and at "fleetlog-gateway buffer verify".',
  );
}
