import { createHash } from 'node:crypto';
import { NumberReader, packNumbers } from './numbers.js';

/*
 * Which CAN identifiers a batch holds. Batches of a bus hold the same ones again and again, so each stream has a few
 * sets, and a batch the number of one.
 */

/** Sets of a stream; a batch with another one is always opened. */
export const idSetsMax = 64;
/** Identifiers of a set. */
const idsMax = 2048;

export interface IdSet {
  number: number;
  ids: Uint32Array;
}

/** Undefined for a set that isn't kept. */
export function idSetName(ids: Uint32Array): string | undefined {
  if (ids.length > idsMax) return undefined;
  const bytes = new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength);
  return createHash('sha256').update(bytes).digest('hex').slice(0, 32);
}

/** value = number { id }, each id less the one before; ascending. */
export function encodeIdSet(number: number, ids: Uint32Array): Uint8Array {
  const parts = [packNumbers([number])];
  let before = 0;
  for (const id of ids) {
    parts.push(packNumbers([id - before]));
    before = id;
  }
  return Buffer.concat(parts);
}

export function decodeIdSet(value: Uint8Array): IdSet {
  const input = new NumberReader(value);
  const number = input.next();
  const ids: number[] = [];
  let id = 0;
  while (!input.isAtEnd) ids.push((id += input.next()));
  return { number, ids: Uint32Array.from(ids) };
}
