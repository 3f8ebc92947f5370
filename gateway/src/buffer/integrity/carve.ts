import { sealedAt, sealMagic, type KeyValue } from './sealed-value.js';
import { maskedCrc32c } from './crc32c.js';

/** Every sealed value in a heap of bytes, as views, in the order in which they lie there. */
export function* carve(bytes: Buffer, from = 0): Generator<KeyValue> {
  for (let at = bytes.indexOf(sealMagic, from); at >= 0;) {
    const found = sealedAt(bytes, at);
    if (found) yield found;
    at = bytes.indexOf(sealMagic, found ? found.end : at + 1);
  }
}

/*
 * A write-ahead log is cut into blocks of 32 KiB, and in these
 *
 *   record = crc u32 | length u16 | type u8 | [log number u32, types 5–8] | data
 *
 * A write that crosses a block's end is in several records: whole (1), first (2), middle (3), last (4); 5–8 are the
 * same in a reused file. A rest of a block that is too short for a head is zero.
 */
const blockBytes = 32 * 1024;
const recordHeadBytes = 7;
const reusedHeadBytes = 11;
const reusedTypesFrom = 5;
const typesMax = 8;
/** Types that carry settings of the log, not data. */
const otherTypes = new Set([9, 10, 11, 130, 131, 132, 133]);

export interface WalContent {
  /** The data of all records, without their heads: writes lie whole in it, and sealed values in these. */
  data: Buffer;
  /** Where in `data` the first damage lies; undefined where every record is as it was written. */
  damagedFrom: number | undefined;
}

/** Takes a write-ahead log apart; goes on behind damage at the next block. */
export function readWal(file: Buffer): WalContent {
  const parts: Buffer[] = [];
  let bytes = 0;
  let damagedFrom: number | undefined;
  for (let block = 0; block < file.length; block += blockBytes) {
    const end = Math.min(block + blockBytes, file.length);
    for (let at = block; at + recordHeadBytes <= end;) {
      const length = file.readUInt16LE(at + 4);
      const type = file[at + 6];
      const reused = type >= reusedTypesFrom && type <= typesMax;
      const dataFrom = at + (reused ? reusedHeadBytes : recordHeadBytes);
      const dataTo = dataFrom + length;
      if (type === 0 && length === 0) {
        if (!isZero(file, at, end)) damagedFrom ??= bytes; // a tail that was never written is zero to its end
        break;
      }
      const isKnown = (type >= 1 && type <= typesMax) || otherTypes.has(type);
      if (!isKnown || dataTo > end) {
        damagedFrom ??= bytes;
        // The head is worth nothing, but what lies behind it may be whole.
        parts.push(file.subarray(Math.min(at + recordHeadBytes, end), end));
        bytes += parts[parts.length - 1].length;
        break;
      }
      if (maskedCrc32c(file, at + 6, dataTo) !== file.readUInt32LE(at)) damagedFrom ??= bytes;
      if (!otherTypes.has(type)) {
        parts.push(file.subarray(dataFrom, dataTo));
        bytes += length;
      }
      at = dataTo;
    }
  }
  return { data: Buffer.concat(parts, bytes), damagedFrom };
}

function isZero(bytes: Buffer, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] !== 0) return false;
  return true;
}
