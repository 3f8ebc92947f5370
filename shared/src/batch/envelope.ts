import { crc32 } from 'node:zlib';
import { FleetlogError } from '../errors/index.js';
import { encodeHeader, readHeader, readIdentity } from './header-codec.js';
import { decodePlain } from './plain-cbor.js';
import { limits, type Batch, type BatchHeader, type BatchIdentity } from './types.js';

/*
 * batch    = [ header, payload, checksum ]
 * header   = { int => value }       ; see `header-codec.ts`
 * payload  = bytes                  ; as the codec that the header names defines it
 * checksum = 0x1a crc32             ; always 5 bytes: CRC-32 (IEEE) of all bytes before it
 *
 * `format.md` says why.
 */
const arrayOfThree = 0x83;
const uint32Head = 0x1a;
const checksumBytes = 5;

/** Writes a batch. The result is a buffer of its own. Errors: FLEETLOG_BATCH_LIMIT, FLEETLOG_BATCH_MALFORMED. */
export function encodeBatch(header: BatchHeader, payload: Uint8Array): Uint8Array {
  const head = encodeHeader(header);
  const prefix = byteStringHead(payload.length);
  const end = 1 + head.length + prefix.length + payload.length;
  if (end + checksumBytes > limits.batchBytesMax) {
    throw new FleetlogError(
      'FLEETLOG_BATCH_LIMIT',
      `A batch of ${end + checksumBytes} bytes is over the limit of ${limits.batchBytesMax}; let the batcher seal earlier.`,
    );
  }
  const bytes = Buffer.allocUnsafeSlow(end + checksumBytes);
  bytes[0] = arrayOfThree;
  bytes.set(head, 1);
  bytes.set(prefix, 1 + head.length);
  bytes.set(payload, end - payload.length);
  bytes[end] = uint32Head;
  bytes.writeUInt32BE(crc32(bytes.subarray(0, end)), end + 1);
  return bytes;
}

function byteStringHead(length: number): Uint8Array {
  if (length < 24) return Uint8Array.of(0x40 | length);
  if (length < 0x100) return Uint8Array.of(0x58, length);
  if (length < 0x1_0000) return Uint8Array.of(0x59, length >> 8, length);
  return Uint8Array.of(0x5a, length >>> 24, length >> 16, length >> 8, length);
}

/**
 * Reads and checks a batch: size, checksum, shape, version, each field. Bounded time and memory for any input.
 * Errors: FLEETLOG_BATCH_MALFORMED, _CHECKSUM, _VERSION, _CODEC, _LIMIT.
 */
export function decodeBatch(bytes: Uint8Array): Batch {
  if (bytes.length > limits.batchBytesMax) {
    throw new FleetlogError(
      'FLEETLOG_BATCH_LIMIT',
      `A batch of ${bytes.length} bytes is over the limit of ${limits.batchBytesMax}.`,
    );
  }
  const { fields, payload } = openFrame(bytes);
  return { header: readHeader(fields), payload };
}

/**
 * Says which batch these bytes are where `decodeBatch` refuses what is in them: of a newer version, with an unknown
 * codec, over a limit. Undefined where the checksum or the identity itself doesn't fit.
 */
export function identifyBatch(bytes: Uint8Array): BatchIdentity | undefined {
  try {
    return readIdentity(openFrame(bytes).fields);
  } catch {
    return undefined;
  }
}

function openFrame(bytes: Uint8Array): { fields: ReadonlyMap<unknown, unknown>; payload: Uint8Array } {
  const end = bytes.length - checksumBytes;
  if (end < 3 || bytes[0] !== arrayOfThree || bytes[end] !== uint32Head) throw malformed('frame');
  const checksum = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(end + 1);
  if (checksum !== crc32(bytes.subarray(0, end))) {
    throw new FleetlogError('FLEETLOG_BATCH_CHECKSUM', "The batch's checksum doesn't fit its bytes.");
  }
  const items = decodePlain(bytes, { depthMax: 3, itemsMax: 256 });
  if (!Array.isArray(items)) throw malformed('shape');
  const [fields, payload, number] = items as unknown[];
  if (!(fields instanceof Map)) throw malformed('header');
  if (!(payload instanceof Uint8Array)) throw malformed('payload');
  if (number !== checksum) throw malformed('frame'); // the last five bytes belonged to something else
  return { fields, payload };
}

const malformed = (what: string): FleetlogError =>
  new FleetlogError('FLEETLOG_BATCH_MALFORMED', `These bytes aren't a batch: wrong ${what}.`);
