import { decodeBatch, type BatchHeader } from '@fleetlog/shared/batch';
import { isFleetlogError } from '@fleetlog/shared/errors';
import type { OrderedStore } from '@fleetlog/shared/store';
import { decodeEntry, type StoredEntry } from './entry.js';
import { keys } from './keys.js';
import type { Totals } from './stream-state.js';
import type { Rewrites } from './thinning/rewrites.js';

/** Reads batches from the store; damaged ones come as undefined, so that one bad block doesn't hold up all the others. */
export class StoredBatches {
  /** `rewrites`: what takes the place of stored values. */
  constructor(
    private readonly store: OrderedStore,
    private readonly rewrites?: Rewrites,
  ) {}

  /** Stored values, see `entry.ts`. */
  async values(stream: string, sequences: number[]): Promise<(Uint8Array | undefined)[]> {
    const values = await this.stored(sequences.map((sequence) => keys.batch(stream, sequence)));
    return values.map((value, i) => this.rewrites?.get(stream, sequences[i]) ?? value);
  }

  private async stored(wanted: Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    try {
      return await this.store.getMany(wanted);
    } catch (error) {
      if (!isFleetlogError(error, 'FLEETLOG_STORE')) throw error;
      return Promise.all(wanted.map((key) => this.store.get(key).catch(() => undefined)));
    }
  }

  async header(stream: string, sequence: number): Promise<BatchHeader | undefined> {
    const [value] = await this.values(stream, [sequence]);
    return headerOf(value);
  }

  /** Of the stored batches `first … last`; undefined where an end is damaged. */
  async range(stream: string, first: number, last: number): Promise<StoredRange | undefined> {
    const [lowValue, highValue] = await this.values(stream, [first, last]);
    if (!lowValue || !highValue) return undefined;
    const low = decodeEntry(lowValue);
    const high = decodeEntry(highValue);
    return {
      bytes: high.bytesBefore + high.batch.length + (high.taken?.bytes ?? 0) - low.bytesBefore,
      records: high.recordsBefore + high.records - low.recordsBefore,
      recordsUpTo: high.recordsBefore + high.records,
      low,
      high,
      lowHeader: headerOf(lowValue),
      highHeader: headerOf(highValue),
    };
  }
}

/** Totals are of the batches when they were put, also where they were thinned since. */
export interface StoredRange extends Totals {
  /** Records of all batches of the stream up to the last of these. */
  recordsUpTo: number;
  low: StoredEntry;
  high: StoredEntry;
  lowHeader: BatchHeader | undefined;
  highHeader: BatchHeader | undefined;
}

function headerOf(value: Uint8Array | undefined): BatchHeader | undefined {
  try {
    return value && decodeBatch(decodeEntry(value).batch).header;
  } catch {
    return undefined; // damaged: what it says is worth nothing
  }
}
