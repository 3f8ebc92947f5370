import type { StoreEntry } from '@fleetlog/shared/store';
import type { LogEntry } from '../../log/log.js';
import type { LogPage } from '../log-pages.js';
import { Moved } from './rpc.js';

/*
 * Many pieces of bytes in one, since each that goes to another thread by itself costs more than what is in it.
 */

/** -1 stands for a piece that isn't there. */
export interface PackedPieces {
  lengths: Int32Array;
  bytes: Uint8Array;
}

export function packPieces(pieces: readonly (Uint8Array | undefined)[]): PackedPieces {
  const lengths = new Int32Array(pieces.length);
  let size = 0;
  for (const [i, piece] of pieces.entries()) {
    lengths[i] = piece?.length ?? -1;
    size += piece?.length ?? 0;
  }
  const bytes = new Uint8Array(size); // its memory is its own: it can move
  let at = 0;
  for (const piece of pieces) {
    if (!piece) continue;
    bytes.set(piece, at);
    at += piece.length;
  }
  return { lengths, bytes };
}

/** Pieces are views of the same memory. */
export function unpackPieces({ lengths, bytes }: PackedPieces): (Buffer | undefined)[] {
  const pieces: (Buffer | undefined)[] = [];
  let at = bytes.byteOffset;
  for (const length of lengths) {
    pieces.push(length < 0 ? undefined : Buffer.from(bytes.buffer as ArrayBuffer, at, length));
    at += Math.max(0, length);
  }
  return pieces;
}

export const movedPieces = (pieces: readonly (Uint8Array | undefined)[]): Moved<PackedPieces> => {
  const packed = packPieces(pieces);
  return new Moved(packed, [packed.bytes]);
};

export const movedEntries = (entries: readonly StoreEntry[]): Moved<PackedPieces> =>
  movedPieces(entries.flatMap(({ key, value }) => [key, value]));

export function unpackEntries(packed: PackedPieces): StoreEntry[] {
  const pieces = unpackPieces(packed) as Buffer[];
  return Array.from({ length: pieces.length / 2 }, (_, i) => ({
    key: pieces[2 * i],
    value: pieces[2 * i + 1],
  }));
}

export interface PackedPage {
  /** Offset and receive time of each entry. */
  places: Float64Array;
  batches: PackedPieces;
  end: number;
  isWhole: boolean;
}

export function movedPage({ entries, end, isWhole }: LogPage): Moved<PackedPage> {
  const places = new Float64Array(2 * entries.length);
  for (const [i, { offset, receiveTimeUs }] of entries.entries()) {
    places[2 * i] = offset;
    places[2 * i + 1] = receiveTimeUs;
  }
  const batches = packPieces(entries.map(({ bytes }) => bytes));
  return new Moved({ places, batches, end, isWhole }, [batches.bytes]);
}

export function unpackPage(partition: number, { places, batches, end, isWhole }: PackedPage): LogPage {
  const entries = (unpackPieces(batches) as Buffer[]).map((bytes, i): LogEntry => ({
    partition,
    offset: places[2 * i],
    receiveTimeUs: places[2 * i + 1],
    bytes,
  }));
  return { entries, end, isWhole };
}
