import type { BatchHeader, GapCause, StreamKind } from '@fleetlog/shared/batch';
import type { GivenUp } from '../buffer.js';

/** What is held of one stream and could be given up. */
export interface HeldStream {
  stream: string;
  kind: StreamKind;
  /** First and last sequence of the oldest run of durable batches; undefined where there is none. */
  oldest: [number, number] | undefined;
  /** The oldest run of those that thinning hasn't passed. */
  whole: [number, number] | undefined;
  /** Of the bytes held, the part that thinning has passed. */
  thinnedShare: number;
  /** Of what is held, on the average, overhead included. */
  bytesPerBatch: number;
}

/** The buffer, as the keeper of its space sees it. */
export interface SpaceTarget {
  /** Bytes of all batches held, overhead included. */
  heldBytes(): number;
  /** Of all batches that were put since the epoch began, held or not, and of those written anew. */
  putBytes(): number;
  heldStreams(): HeldStream[];
  /** Undefined where it is damaged. */
  header(stream: string, sequence: number): Promise<BatchHeader | undefined>;
  /**
   * A gap record takes the place of the batches `first … last`, a part of the oldest run, in the same write. Undefined
   * where they are no such part any more.
   */
  giveUp(
    stream: string,
    range: [number, number],
    why: { cause: GapCause; detail: string },
  ): Promise<GivenUp | undefined>;
  /**
   * Takes out of a few batches, the oldest that thinning hasn't passed, all but each n-th record per identifier, with a
   * note of that in their headers, in the same write. Undefined where there are none.
   */
  thin(stream: string, keepEachNth: number): Promise<GivenUp | undefined>;
  /** What was given up is so durably, and what was queued. */
  flush(): Promise<void>;
  /** Bytes of the files. */
  diskBytes(): Promise<number>;
  /** Frees what removed batches take, as `OrderedStore.compact` does. */
  reclaim(rewriteShare: number): Promise<void>;
}
