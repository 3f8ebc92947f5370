/**
 * A batch as it is stored: three running totals of its stream in front of the bytes that go over the wire.
 *
 *   f64 bytesBefore | f64 recordsBefore | f64 records | batch
 *
 * Why: the totals of any range are the difference of its two ends, so an acknowledgement of a thousand batches reads
 * two of them, and nothing has to be kept in memory or counted at start.
 *
 * A batch that thinning has passed, whether it took anything out or not, keeps these as they were when it was put, and
 * has running totals of what was taken out besides:
 *
 *   f64 bytesBefore | f64 recordsBefore | f64 -1 - records | f64 takenBytesBefore | f64 takenRecordsBefore
 *                   | f64 takenBytes | f64 takenRecords | batch
 */
export interface StoredEntry {
  /** Bytes and records of all batches of the stream before this one, when they were put. */
  bytesBefore: number;
  recordsBefore: number;
  /** When it was put. */
  records: number;
  /** View into the stored value. */
  batch: Uint8Array;
  /** Of a batch that thinning has passed. */
  taken?: TakenTotals;
}

interface TakenTotals {
  /** Taken out of all batches of the stream before this one. */
  bytesBefore: number;
  recordsBefore: number;
  /** Taken out of this one. */
  bytes: number;
  records: number;
}

const headBytes = 24;
const thinnedHeadBytes = 56;

export function encodeEntry({ bytesBefore, recordsBefore, records, batch, taken }: StoredEntry): Uint8Array {
  const head = taken
    ? [bytesBefore, recordsBefore, -1 - records, ...totalsOf(taken)]
    : [bytesBefore, recordsBefore, records];
  // A buffer of its own, not of Node's pool: the store reads it later, from another thread.
  const value = Buffer.allocUnsafeSlow(8 * head.length + batch.length);
  head.forEach((number, i) => value.writeDoubleLE(number, 8 * i));
  value.set(batch, 8 * head.length);
  return value;
}

const totalsOf = ({ bytesBefore, recordsBefore, bytes, records }: TakenTotals): number[] => [
  bytesBefore,
  recordsBefore,
  bytes,
  records,
];

export function decodeEntry(value: Uint8Array): StoredEntry {
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  const number = (index: number): number => view.getFloat64(8 * index, true);
  const [bytesBefore, recordsBefore, records] = [number(0), number(1), number(2)];
  if (records >= 0) return { bytesBefore, recordsBefore, records, batch: value.subarray(headBytes) };
  const taken = { bytesBefore: number(3), recordsBefore: number(4), bytes: number(5), records: number(6) };
  return {
    bytesBefore,
    recordsBefore,
    records: -1 - records,
    batch: value.subarray(thinnedHeadBytes),
    taken,
  };
}
