/**
 * A batch as it is stored: three running totals of its stream in front of the bytes that go over the wire.
 *
 *   f64 bytesBefore | f64 recordsBefore | f64 records | batch
 *
 * Why: the totals of any range are the difference of its two ends, so an acknowledgement of a thousand batches reads
 * two of them, and nothing has to be kept in memory or counted at start.
 */
export interface StoredEntry {
  /** Bytes and records of all batches of the stream before this one. */
  bytesBefore: number;
  recordsBefore: number;
  records: number;
  /** View into the stored value. */
  batch: Uint8Array;
}

const headBytes = 24;

export function encodeEntry(entry: StoredEntry): Uint8Array {
  // A buffer of its own, not of Node's pool: the store reads it later, from another thread.
  const value = Buffer.allocUnsafeSlow(headBytes + entry.batch.length);
  value.writeDoubleLE(entry.bytesBefore, 0);
  value.writeDoubleLE(entry.recordsBefore, 8);
  value.writeDoubleLE(entry.records, 16);
  value.set(entry.batch, headBytes);
  return value;
}

export function decodeEntry(value: Uint8Array): StoredEntry {
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  return {
    bytesBefore: view.getFloat64(0, true),
    recordsBefore: view.getFloat64(8, true),
    records: view.getFloat64(16, true),
    batch: value.subarray(headBytes),
  };
}
