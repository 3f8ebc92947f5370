import {
  integerPart,
  prefixRange,
  readInteger,
  type KeyRange,
  type StoreEntry,
} from '@fleetlog/shared/store';

/*
 * m              what was fixed when the log was made: JSON
 * e P O          entry: receive time (8 bytes, µs), then the batch; P: partition, 2 bytes; O: offset, 8 bytes
 * t P            what a trim has to leave behind: first offset kept, next offset, last receive time (3 × 8 bytes)
 * r P O          range that was trimmed behind the first offset kept, by its first offset: its last one (8 bytes)
 * n text         note
 */
const entryTag = 0x65;
const trimTag = 0x74;
const removedTag = 0x72;
const noteTag = 0x6e;
const entryKeyBytes = 11;
const timeBytes = 8;

export const metaKey: Uint8Array = Uint8Array.of(0x6d);

export const entryKey = (partition: number, offset: number): Uint8Array =>
  offsetKey(entryTag, partition, offset);

function offsetKey(tag: number, partition: number, offset: number): Uint8Array {
  const key = Buffer.allocUnsafe(entryKeyBytes);
  key[0] = tag;
  key.writeUInt16BE(partition, 1);
  key.writeUInt32BE(Math.floor(offset / 0x1_0000_0000), 3);
  key.writeUInt32BE(offset >>> 0, 7);
  return key;
}

export const offsetOf = (key: Uint8Array): number => readInteger(key, entryKeyBytes - 8);

export const entryRange = (partition: number, first: number, next: number): KeyRange => ({
  gte: entryKey(partition, first),
  lt: entryKey(partition, next),
});

export const valueBytes = (bytes: Uint8Array): number => timeBytes + bytes.length;

/** Writes an entry's value at `at` of `target`, and returns it. */
export function writeValue(target: Buffer, at: number, receiveTimeUs: number, bytes: Uint8Array): Uint8Array {
  target.writeUInt32BE(Math.floor(receiveTimeUs / 0x1_0000_0000), at);
  target.writeUInt32BE(receiveTimeUs >>> 0, at + 4);
  target.set(bytes, at + timeBytes);
  return target.subarray(at, at + timeBytes + bytes.length);
}

export const receiveTimeOf = (value: Uint8Array): number => readInteger(value, 0);
export const batchOf = (value: Uint8Array): Uint8Array => value.subarray(timeBytes);

export interface TrimState {
  first: number;
  next: number;
  lastReceiveTimeUs: number;
}

export const trimKey = (partition: number): Uint8Array =>
  Uint8Array.of(trimTag, partition >> 8, partition & 0xff);

export const trimValue = ({ first, next, lastReceiveTimeUs }: TrimState): Uint8Array =>
  Buffer.concat([integerPart(first), integerPart(next), integerPart(lastReceiveTimeUs)]);

export const readTrim = (value: Uint8Array): TrimState => ({
  first: readInteger(value, 0),
  next: readInteger(value, 8),
  lastReceiveTimeUs: readInteger(value, 16),
});

export const removedKey = (partition: number, first: number): Uint8Array =>
  offsetKey(removedTag, partition, first);
export const removedValue = integerPart;

/** Trimmed ranges whose first offset is in `[first, next)`. */
export const removedKeys = (partition: number, first: number, next: number): KeyRange => ({
  gte: removedKey(partition, first),
  lt: removedKey(partition, next),
});

export const removedRange = ({ key, value }: StoreEntry): [first: number, last: number] => [
  offsetOf(key),
  readInteger(value, 0),
];

export const noteKey = (key: string): Uint8Array => Buffer.from(`${String.fromCharCode(noteTag)}${key}`);
export const noteName = (key: Uint8Array): string =>
  Buffer.from(key.buffer, key.byteOffset + 1, key.length - 1).toString();
export const noteRange = (prefix: string): KeyRange => prefixRange(noteKey(prefix));

/** FNV-1a, 32 bits (RFC 9923): the same on every machine and in every version, since it decides where data are. */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
