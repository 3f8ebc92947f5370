/*
 * Values of one width as bits: differences between neighbours, and bytes of equal weight side by side ("lanes").
 * Machines that run Fleetlog (x64, arm64) are little-endian, as the format is.
 */

/** Unsigned words of 1, 2 or 4 bytes; values of 8 bytes are two words, the low one first. */
export type Words = Uint8Array | Uint16Array | Uint32Array;

/** The words below `count` values of a column, in place. */
export function wordsOf(column: ArrayBufferView<ArrayBuffer>, width: number, count: number): Words {
  const { buffer, byteOffset } = column;
  if (width === 1) return new Uint8Array(buffer, byteOffset, count);
  if (width === 2) return new Uint16Array(buffer, byteOffset, count);
  return new Uint32Array(buffer, byteOffset, (count * width) / 4);
}

/** Each value's difference to the one before (the first: to 0), modulo the width, in zigzag form. */
export function toDifferences(words: Words, width: number, out: Words): void {
  if (width === 8) return toDifferences64(words, out);
  const shift = 32 - 8 * width;
  let previous = 0;
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    const difference = ((word - previous) << shift) >> shift;
    out[i] = (difference << 1) ^ (difference >> 31);
    previous = word;
  }
}

/** Undoes `toDifferences` in place. */
export function fromDifferences(words: Words, width: number): void {
  if (width === 8) return fromDifferences64(words);
  let previous = 0;
  for (let i = 0; i < words.length; i++) {
    const zigzag = words[i];
    words[i] = previous + ((zigzag >>> 1) ^ -(zigzag & 1));
    previous = words[i];
  }
}

function toDifferences64(words: Words, out: Words): void {
  let previousLow = 0;
  let previousHigh = 0;
  for (let i = 0; i < words.length; i += 2) {
    const low = words[i];
    const high = words[i + 1];
    const borrow = low < previousLow ? 1 : 0;
    const differenceLow = low - previousLow;
    const differenceHigh = high - previousHigh - borrow;
    const sign = (differenceHigh | 0) >> 31;
    out[i] = (differenceLow << 1) ^ sign;
    out[i + 1] = ((differenceHigh << 1) | ((differenceLow >>> 31) & 1)) ^ sign;
    previousLow = low;
    previousHigh = high;
  }
}

function fromDifferences64(words: Words): void {
  let previousLow = 0;
  let previousHigh = 0;
  for (let i = 0; i < words.length; i += 2) {
    const sign = -(words[i] & 1);
    const differenceLow = (((words[i] >>> 1) | (words[i + 1] << 31)) ^ sign) >>> 0;
    const differenceHigh = (words[i + 1] >>> 1) ^ sign;
    const carry = previousLow + differenceLow > 0xffff_ffff ? 1 : 0;
    words[i] = previousLow + differenceLow;
    words[i + 1] = previousHigh + differenceHigh + carry;
    previousLow = words[i];
    previousHigh = words[i + 1];
  }
}

/** Regroups `bytes` (values of `width` bytes) by place in the value: all first bytes, all second bytes, … */
export function toLanes(bytes: Uint8Array, width: number, out: Uint8Array): void {
  const count = bytes.length / width;
  for (let lane = 0; lane < width; lane++) {
    const start = lane * count;
    for (let i = 0, from = lane; i < count; i++, from += width) out[start + i] = bytes[from];
  }
}

/** Undoes `toLanes`. */
export function fromLanes(lanes: Uint8Array, width: number, out: Uint8Array): void {
  const count = lanes.length / width;
  for (let lane = 0; lane < width; lane++) {
    const start = lane * count;
    for (let i = 0, to = lane; i < count; i++, to += width) out[to] = lanes[start + i];
  }
}

/** Bits that an entropy coder would need for the lanes, looking at up to 4096 values: good enough to choose by. */
export function laneBits(bytes: Uint8Array, width: number): number {
  const values = Math.min(bytes.length / width, 4096);
  let bits = 0;
  const histogram = new Uint32Array(256);
  for (let lane = 0; lane < width; lane++) {
    histogram.fill(0);
    for (let i = 0; i < values; i++) histogram[bytes[i * width + lane]]++;
    for (const times of histogram) if (times > 0) bits += times * Math.log2(values / times);
  }
  return bits;
}
