import type { FileHandle } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import type { FeedState } from './feed.js';

/** How much of a file's head tells it from another. */
const HEAD_BYTES_MAX = 4096;

/** Where a file source goes on: stored with each batch, as JSON. */
export interface FilePosition {
  version: 1;
  /** Bytes of the file that are taken. */
  offset: number;
  head: FileHead;
  /** What `times: now` adds to each time, so that it stays the same after a restart. */
  shiftUs: number;
  feed: FeedState;
}

/** Tells a file from another one at the same path: the hash of its first bytes. */
export interface FileHead {
  bytes: number;
  sha256: string;
}

export async function readFileHead(file: FileHandle, bytesMax = HEAD_BYTES_MAX): Promise<FileHead> {
  const head = new Uint8Array(bytesMax);
  let bytes = 0;
  while (bytes < bytesMax) {
    const { bytesRead } = await file.read(head, bytes, bytesMax - bytes, bytes);
    if (bytesRead === 0) break;
    bytes += bytesRead;
  }
  return { bytes, sha256: createHash('sha256').update(head.subarray(0, bytes)).digest('hex') };
}

/** True where `file` begins as it did when the position was stored and is long enough. */
export async function isSameFile(
  file: FileHandle,
  sizeBytes: number,
  position: FilePosition,
): Promise<boolean> {
  if (sizeBytes < position.offset) return false;
  const head = await readFileHead(file, position.head.bytes);
  return head.bytes === position.head.bytes && head.sha256 === position.head.sha256;
}

export function encodePosition(position: FilePosition): Uint8Array {
  return Buffer.from(JSON.stringify(position));
}

/** Undefined where the bytes aren't a position of this version. */
export function decodePosition(bytes: Uint8Array): FilePosition | undefined {
  try {
    const position = JSON.parse(Buffer.from(bytes).toString()) as FilePosition | null;
    return position?.version === 1 ? position : undefined;
  } catch {
    return undefined;
  }
}
