import assert from 'node:assert/strict';
import { crc32 } from 'node:zlib';
import {
  decodeBatch,
  encodeBatch,
  encodePlain,
  type Batch,
  type BatchHeader,
  type EncodedPayload,
} from '@fleetlog/shared/batch';
import { isFleetlogError, type ErrorCode } from '@fleetlog/shared/errors';

/** A header around a payload, as a gateway makes it. */
export function headerFor(payload: EncodedPayload, changes: Partial<BatchHeader> = {}): BatchHeader {
  const { kind, codec, rawBytes, recordCount, firstTimeUs, lastTimeUs } = payload;
  const sequence = changes.sequence ?? 7;
  return {
    gateway: 'truck-17',
    epoch: '0011223344556677',
    boot: '8899aabbccddeeff',
    stream: 'stream0',
    kind,
    sequence,
    lastSequence: sequence,
    firstTimeUs,
    lastTimeUs,
    recordCount,
    storeTimeUs: 1_790_000_000_000_000,
    clock: { wallOffsetUs: 1_789_000_000_000_000, state: 'synced', uncertaintyUs: 250 },
    origin: 'recording',
    codec,
    rawBytes,
    ...changes,
  };
}

export const seal = (payload: EncodedPayload, changes: Partial<BatchHeader> = {}): Uint8Array =>
  encodeBatch(headerFor(payload, changes), payload.payload);

/** Through the wire format and back. */
export const sent = (payload: EncodedPayload, changes: Partial<BatchHeader> = {}): Batch =>
  decodeBatch(seal(payload, changes));

/** Puts the right checksum on a batch that was changed by hand. */
export function repairChecksum(bytes: Uint8Array): Uint8Array {
  if (bytes.length < 5) return bytes;
  const end = bytes.length - 5;
  const copy = Buffer.from(bytes);
  copy[end] = 0x1a;
  copy.writeUInt32BE(crc32(copy.subarray(0, end)), end + 1);
  return copy;
}

/** A batch of CBOR items written by hand: header and payload, framed and with the right checksum. */
export const frame = (header: Uint8Array, payload: Uint8Array): Uint8Array =>
  repairChecksum(Buffer.concat([Uint8Array.of(0x83), header, payload, Buffer.alloc(5)]));

export function assertRefused(action: () => unknown, ...codes: ErrorCode[]): void {
  assert.throws(action, (error: unknown) => {
    if (codes.some((code) => isFleetlogError(error, code))) return true;
    assert.fail(`expected ${codes.join(' or ')}, got ${String(error)}`);
  });
}

/** CBOR of anything, also of what the product would not write. */
export const cbor = encodePlain;
