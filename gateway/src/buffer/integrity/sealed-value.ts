import { crc32 } from 'node:zlib';

/*
 * A value as the buffer's database holds it:
 *
 *   "FLb1" | crc32 u32 of what follows | key bytes u16 | value bytes u32 | key | value      (little endian)
 *
 * Why: RocksDB's checksums cover blocks and log records, and with the folder's index files gone nobody knows where
 * these are. A value that says itself what it is, and proves it, can be found in any heap of bytes; and one that comes
 * back changed, or for another key, is noticed whatever the database believes.
 */
const magic = 0x3162_4c46; // "FLb1"
export const sealMagic = Buffer.from('FLb1', 'latin1');
const checkedFrom = 8;
const sealHeadBytes = 14;

/** One that claims more is no value: the largest batch has 4 MiB, and records of streams stay far below. */
const valueBytesMax = 8 * 1024 * 1024;

export interface KeyValue {
  key: Uint8Array;
  value: Uint8Array;
}

/** A buffer of its own. */
export function sealValue(key: Uint8Array, value: Uint8Array): Uint8Array {
  const sealed = Buffer.allocUnsafeSlow(sealHeadBytes + key.length + value.length);
  sealed.writeUInt32LE(magic, 0);
  sealed.writeUInt16LE(key.length, 8);
  sealed.writeUInt32LE(value.length, 10);
  sealed.set(key, sealHeadBytes);
  sealed.set(value, sealHeadBytes + key.length);
  sealed.writeUInt32LE(crc32(sealed.subarray(checkedFrom)), 4);
  return sealed;
}

/** The value for `key`, a view; undefined where these bytes aren't what was sealed for it. */
export function openValue(key: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
  const found = sealedAt(Buffer.from(sealed.buffer, sealed.byteOffset, sealed.length), 0);
  if (!found || found.end !== sealed.length) return undefined;
  return Buffer.compare(found.key, key) === 0 ? found.value : undefined;
}

/** The sealed value that begins at `at`, as views, and where it ends; undefined where none does. */
export function sealedAt(bytes: Buffer, at: number): (KeyValue & { end: number }) | undefined {
  const keyFrom = at + sealHeadBytes;
  if (keyFrom > bytes.length || bytes.readUInt32LE(at) !== magic) return undefined;
  const valueBytes = bytes.readUInt32LE(at + 10);
  const valueFrom = keyFrom + bytes.readUInt16LE(at + 8);
  const end = valueFrom + valueBytes;
  if (valueBytes > valueBytesMax || end > bytes.length) return undefined;
  if (crc32(bytes.subarray(at + checkedFrom, end)) !== bytes.readUInt32LE(at + 4)) return undefined;
  return { key: bytes.subarray(keyFrom, valueFrom), value: bytes.subarray(valueFrom, end), end };
}
