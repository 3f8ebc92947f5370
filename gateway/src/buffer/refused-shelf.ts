import type { OrderedStore, StoreOperation } from '@fleetlog/shared/store';
import { keys } from './keys.js';

/** Refused batches of a stream that are kept aside; of more, the newest. */
export const refusedKeptMax = 256;
/** The most that all of them may take, bytes. */
export const refusedBytesMax = 16 * 1024 * 1024;

interface Kept {
  key: Uint8Array;
  bytes: number;
}

/** Batches that the cloud refused, kept for people to look at: few enough that nobody has to remove them. */
export class RefusedShelf {
  /** By stream, oldest first. */
  private kept: Map<string, Kept[]> | undefined;

  constructor(
    private readonly store: Pick<OrderedStore, 'entries' | 'get'>,
    private readonly bytesMax: number,
  ) {}

  /**
   * What puts a batch aside, and takes those away that are too many then: of its stream the oldest, and while all
   * together are too large, the oldest of the stream that has most. One that is too large alone isn't kept.
   */
  async add(stream: string, sequence: number, value: Uint8Array): Promise<StoreOperation[]> {
    const all = (this.kept ??= await this.load());
    const own = all.get(stream) ?? [];
    all.set(stream, own);
    const key = keys.refused(stream, sequence);
    own.push({ key, bytes: value.length });
    const gone: Kept[] = [];
    while (own.length > refusedKeptMax) gone.push(...own.splice(0, 1));
    while (bytesOf(all) > this.bytesMax) gone.push(...largest(all).splice(0, 1));
    return [
      { type: 'put', key, value },
      ...gone.map((one): StoreOperation => ({ type: 'delete', key: one.key })),
    ];
  }

  private async load(): Promise<Map<string, Kept[]>> {
    const kept = new Map<string, Kept[]>();
    for await (const { key } of this.store.entries(keys.allRefused(), { keysOnly: true })) {
      const stream = keys.streamOfRefused(key);
      const own = kept.get(stream) ?? [];
      kept.set(stream, own);
      const value = await this.store.get(key).catch(() => undefined); // damaged: it goes in its turn
      own.push({ key: Uint8Array.from(key), bytes: value?.length ?? 0 });
    }
    return kept;
  }
}

const sum = (shelf: readonly Kept[]): number => shelf.reduce((bytes, one) => bytes + one.bytes, 0);

const bytesOf = (all: ReadonlyMap<string, Kept[]>): number =>
  [...all.values()].reduce((bytes, shelf) => bytes + sum(shelf), 0);

const largest = (all: ReadonlyMap<string, Kept[]>): Kept[] =>
  [...all.values()].reduce((most, shelf) => (sum(shelf) > sum(most) ? shelf : most));
