import { resized } from './resized.js';
import type { SymbolReader } from './symbol-reader.js';
import type { SymbolWriter } from './symbol-writer.js';

/** Columns of symbols, one after the other. Reused from batch to batch. */
export class SymbolColumns {
  symbols = new Uint8Array(4096);
  /** Symbols held, or to be read. */
  count = 0;
  private lengths = new Int32Array(512);
  private columns = 0;

  clear(): void {
    this.columns = 0;
    this.count = 0;
  }

  /** Appends a column; returns where its symbols are, or go to. */
  add(length: number): number {
    const start = this.count;
    this.count += length;
    if (this.count > this.symbols.length)
      this.symbols = resized(this.symbols, new Uint8Array(2 * this.count));
    if (this.columns === this.lengths.length) {
      this.lengths = resized(this.lengths, new Int32Array(2 * this.columns));
    }
    this.lengths[this.columns++] = length;
    return start;
  }

  write(out: SymbolWriter, tables: Uint8Array): void {
    out.reserve(this.count);
    out.scaled(tables, this.symbols, this.lengths, this.columns);
  }

  read(input: SymbolReader, tables: Uint8Array): void {
    input.scaled(tables, this.symbols, this.lengths, this.columns);
  }
}
