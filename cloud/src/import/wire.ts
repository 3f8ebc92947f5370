import { FleetlogError } from '@fleetlog/shared/errors';

/** Body of a request that hands in batches: for each its length (32 bits, little-endian) and its bytes. */
export const importBytesMax = 8 * 1024 * 1024;

export function packBatches(batches: readonly Uint8Array[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const bytes of batches) {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    parts.push(length, bytes);
  }
  return Buffer.concat(parts);
}

/** Errors: FLEETLOG_USAGE. */
export function unpackBatches(body: Buffer): Uint8Array[] {
  const batches: Uint8Array[] = [];
  for (let at = 0; at < body.length;) {
    const end = at + 4 <= body.length ? at + 4 + body.readUInt32LE(at) : Infinity;
    if (end > body.length)
      throw new FleetlogError('FLEETLOG_USAGE', 'The body ends in the middle of a batch.');
    batches.push(body.subarray(at + 4, end));
    at = end;
  }
  if (batches.length === 0) throw new FleetlogError('FLEETLOG_USAGE', 'The body holds no batch.');
  return batches;
}
