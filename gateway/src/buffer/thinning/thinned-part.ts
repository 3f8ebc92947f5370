import type { GivenUp } from '../buffer.js';
import type { StoredRange } from '../stored-batches.js';

/** Of a range of batches: what of it thinning has passed. */
export interface PassedPart {
  /** When they were put. */
  putBytes: number;
  takenBytes: number;
  takenRecords: number;
}

const nothing: PassedPart = { putBytes: 0, takenBytes: 0, takenRecords: 0 };

/** The front of a stream that thinning has passed: all batches below `next`, in ascending order and once each. */
export class ThinnedPart {
  next = 0;
  /** Taken out since the epoch began. */
  readonly taken: GivenUp = { batches: 0, records: 0, bytes: 0 };
  /** Bytes of all batches of the stream below `next`, when they were put. */
  putBytesUpTo = 0;
  /** Of the batches below `next` that are held. */
  held: PassedPart = { ...nothing };

  /** Bytes of the batches below `next` that are held. */
  get bytes(): number {
    return Math.max(0, this.held.putBytes - this.held.takenBytes);
  }

  /** The batch at `next`, of `putBytes`, is passed; `gain` is what was taken out of it. */
  pass(
    sequence: number,
    bytesBefore: number,
    putBytes: number,
    gain: { bytes: number; records: number },
  ): void {
    this.next = sequence + 1;
    this.putBytesUpTo = bytesBefore + putBytes;
    this.taken.batches += gain.records > 0 ? 1 : 0;
    this.taken.records += gain.records;
    this.taken.bytes += gain.bytes;
    this.held.putBytes += putBytes;
    this.held.takenBytes += gain.bytes;
    this.held.takenRecords += gain.records;
  }

  /** What of a range is passed; never more than is held, whatever damage has made of the totals. */
  partOf({ low, high }: StoredRange): PassedPart {
    if (!low.taken) return nothing;
    const end = high.taken
      ? {
          putBytes: high.bytesBefore + high.batch.length + high.taken.bytes,
          takenBytes: high.taken.bytesBefore + high.taken.bytes,
          takenRecords: high.taken.recordsBefore + high.taken.records,
        }
      : { putBytes: this.putBytesUpTo, takenBytes: this.taken.bytes, takenRecords: this.taken.records };
    const { held } = this;
    return {
      putBytes: within(end.putBytes - low.bytesBefore, held.putBytes),
      takenBytes: within(end.takenBytes - low.taken.bytesBefore, held.takenBytes),
      takenRecords: within(end.takenRecords - low.taken.recordsBefore, held.takenRecords),
    };
  }

  remove(part: PassedPart): void {
    this.held.putBytes -= part.putBytes;
    this.held.takenBytes -= part.takenBytes;
    this.held.takenRecords -= part.takenRecords;
  }

  /** Nothing is held any more. */
  clear(): void {
    this.held = { ...nothing };
  }

  toJSON(): object {
    const { next, taken, putBytesUpTo, held } = this;
    return { next, taken, putBytesUpTo, held };
  }

  /** `stored` as `toJSON` gives it. */
  static from(stored: Pick<ThinnedPart, 'next' | 'taken' | 'putBytesUpTo' | 'held'>): ThinnedPart {
    return Object.assign(new ThinnedPart(), stored);
  }
}

const within = (value: number, most: number): number => Math.min(Math.max(0, value), most);
