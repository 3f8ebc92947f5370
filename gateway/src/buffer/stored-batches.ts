import { decodeBatch, type BatchHeader } from '@fleetlog/shared/batch';
import { isFleetlogError } from '@fleetlog/shared/errors';
import type { OrderedStore } from '@fleetlog/shared/store';
import { decodeEntry } from './entry.js';
import { keys } from './keys.js';
import type { Totals } from './stream-state.js';

/** Reads batches from the store; damaged ones come as undefined, so that one bad block doesn't hold up all the others. */
export class StoredBatches {
  constructor(private readonly store: OrderedStore) {}

  /** Stored values, see `entry.ts`. */
  async values(stream: string, sequences: number[]): Promise<(Uint8Array | undefined)[]> {
    const wanted = sequences.map((sequence) => keys.batch(stream, sequence));
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
      bytes: high.bytesBefore + high.batch.length - low.bytesBefore,
      records: high.recordsBefore + high.records - low.recordsBefore,
      recordsUpTo: high.recordsBefore + high.records,
      lowHeader: headerOf(lowValue),
      highHeader: headerOf(highValue),
    };
  }
}

interface StoredRange extends Totals {
  /** Records of all batches of the stream up to the last of these. */
  recordsUpTo: number;
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
