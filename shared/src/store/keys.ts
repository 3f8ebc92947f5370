/** Keys of ordered stores: parts that sort bytewise as their values do. */

/** Text parts end in a zero byte, so that `a` sorts before `aa`; names hold no zero byte. */
export function textPart(text: string): Uint8Array {
  return Buffer.from(`${text}\0`, 'latin1');
}

/** Unsigned integers up to 2^53 - 1 as 8 bytes, big endian. */
export function integerPart(value: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeUInt32BE(Math.floor(value / 0x1_0000_0000), 0);
  bytes.writeUInt32BE(value >>> 0, 4);
  return bytes;
}

export function readInteger(bytes: Uint8Array, offset: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, 8);
  return view.getUint32(0) * 0x1_0000_0000 + view.getUint32(4);
}

/** Times may lie before 1970: shifted so that they sort. */
const timeShift = 2 ** 52;
export const timePart = (timeUs: number): Uint8Array => integerPart(timeUs + timeShift);
export const readTime = (bytes: Uint8Array, offset: number): number => readInteger(bytes, offset) - timeShift;

export function joinKey(...parts: Uint8Array[]): Uint8Array {
  return parts.length === 1 ? parts[0] : Buffer.concat(parts);
}

/** The range of all keys that start with `prefix`. */
export function prefixRange(prefix: Uint8Array): { gte: Uint8Array; lt: Uint8Array } {
  let end = prefix.length;
  while (end > 0 && prefix[end - 1] === 0xff) end--;
  const lt = Uint8Array.from(
    end === 0 ? [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff] : prefix.subarray(0, end),
  );
  if (end > 0) lt[end - 1]++;
  return { gte: prefix, lt };
}
