import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { malformedPayload, overLimit } from './payload.js';
import { limits } from './types.js';

/** Compresses a payload to one zstd frame that states its content size. `level` 1 to 3 is what gateways can afford. */
export function compress(raw: Uint8Array, level = 1): Uint8Array {
  // One output buffer of the worst case's size (ZSTD_COMPRESSBOUND, rounded up): one pass, no concatenation.
  const chunkSize = raw.length + (raw.length >>> 7) + 128;
  return zstdCompressSync(raw, { chunkSize, params: { [constants.ZSTD_c_compressionLevel]: level } });
}

/**
 * Decompresses a payload of exactly one frame and exactly `rawBytes` bytes of content (the header's claim, which
 * `decodeBatch` checked against the limit). The frame's own content size is compared first, so that a false claim
 * costs nothing. Errors: FLEETLOG_BATCH_MALFORMED, FLEETLOG_BATCH_LIMIT.
 */
export function decompress(payload: Uint8Array, rawBytes: number): Uint8Array {
  if (rawBytes > limits.rawBytesMax) throw overLimit(`${rawBytes} bytes decompressed`);
  if (frameContentBytes(payload) !== rawBytes)
    throw malformedPayload('its length is not what the header says');
  let result: { buffer: Uint8Array; engine: { bytesWritten: number } };
  try {
    result = zstdDecompressSync(payload, {
      chunkSize: Math.max(64, rawBytes + 1), // room for all and one more: done in one pass
      maxOutputLength: rawBytes + 1,
      params: { [constants.ZSTD_d_windowLogMax]: windowLogMax },
      info: true,
    }) as unknown as typeof result;
  } catch (cause) {
    throw malformedPayload('it does not decompress', cause);
  }
  if (result.buffer.length !== rawBytes) throw malformedPayload('its length is not what the header says');
  if (result.engine.bytesWritten !== payload.length)
    throw malformedPayload('bytes follow the compressed frame');
  return result.buffer;
}

/** No window needs more than the largest payload has: bounds the memory that a frame can ask for. */
const windowLogMax = Math.log2(limits.rawBytesMax);

/** The content size that a zstd frame's header states (RFC 8878, 3.1.1.1); -1 where there is none. */
function frameContentBytes(frame: Uint8Array): number {
  if (frame.length < 6 || frame[0] !== 0x28 || frame[1] !== 0xb5 || frame[2] !== 0x2f || frame[3] !== 0xfd) {
    return -1;
  }
  const descriptor = frame[4];
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  if (sizeFlag === 0 && !isSingleSegment) return -1;
  const dictionaryIdBytes = [0, 1, 2, 4][descriptor & 3];
  const start = 5 + (isSingleSegment ? 0 : 1) + dictionaryIdBytes;
  const sizeBytes = 1 << sizeFlag;
  if (start + sizeBytes > frame.length) return -1;
  let size = sizeFlag === 1 ? 256 : 0; // the two-byte form starts at 256
  for (let i = 0; i < sizeBytes; i++) size += frame[start + i] * 2 ** (8 * i);
  return size;
}
