import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { Cell } from '../query/cell.js';

/** Cells of a block. */
export const blockCells = 60;
const fields = 7;
const bytesMax = 8 * blockCells * fields;

/** A cell that is kept, and the revision of what it was made of. */
export interface KeptCell {
  /** Place in its block. */
  place: number;
  revision: number;
  cell: Cell;
}

/** 60 cells of one signal behind one another, each with the revision of what it was made of; 0 where there is none. */
export class Block {
  private readonly numbers: Float64Array;

  constructor(stored?: Uint8Array) {
    this.numbers = new Float64Array(blockCells * fields);
    if (!stored) return;
    const raw = zstdDecompressSync(stored, { maxOutputLength: bytesMax });
    new Uint8Array(this.numbers.buffer).set(raw);
  }

  revision(place: number): number {
    return this.numbers[place * fields];
  }

  /** A new object. */
  cell(place: number): Cell {
    const at = place * fields;
    const [count, min, max, sum, first, last] = this.numbers.subarray(at + 1, at + fields);
    return { count, min, max, sum, first, last };
  }

  set({ place, revision, cell }: KeptCell): void {
    const { count, min, max, sum, first, last } = cell;
    this.numbers.set([revision, count, min, max, sum, first, last], place * fields);
  }

  stored(): Uint8Array {
    return zstdCompressSync(new Uint8Array(this.numbers.buffer));
  }
}
