import type { CanFrames } from './frames.js';
import { INTERFACE_NAME_BYTES_MAX, SPACE } from './candump-grammar.js';

/** Names remembered over batches; more than any vehicle has, so that a hostile file can't fill the memory. */
const NAMES_MAX = 1024;

export interface InterfaceName {
  text: string;
  bytes: Uint8Array;
  /** Index in the columns that are being filled; -1 where they don't name it yet. */
  busIndex: number;
}

/** Interface names by their bytes, so that no string is made for a name that was seen before. */
export class InterfaceNames {
  /** That of the line before. */
  last: InterfaceName | undefined;
  private readonly known: InterfaceName[] = [];

  /** Reads the name at `start`, up to a space; makes it `last`, and returns the offset behind it, or -1. */
  read(bytes: Uint8Array, start: number): number {
    if (this.last === undefined || !matches(bytes, start, this.last.bytes)) {
      let end = start;
      while (bytes[end] > SPACE && bytes[end] < 127) end++;
      if (end === start || end - start > INTERFACE_NAME_BYTES_MAX || bytes[end] !== SPACE) return -1;
      this.last = this.find(bytes, start) ?? this.add(bytes.slice(start, end));
    }
    return start + this.last.bytes.length;
  }

  /** Index of `last` in the columns; -1 where they have no room for another name. */
  busIndex(frames: CanFrames): number {
    const name = this.last!;
    if (name.busIndex < 0) name.busIndex = frames.busIndex(name.text);
    return name.busIndex;
  }

  /** Starts with columns that name no interface yet. */
  beginBatch(): void {
    for (const name of this.known) name.busIndex = -1;
    if (this.last) this.last.busIndex = -1;
  }

  private find(bytes: Uint8Array, start: number): InterfaceName | undefined {
    for (const name of this.known) if (matches(bytes, start, name.bytes)) return name;
    return undefined;
  }

  private add(bytes: Uint8Array): InterfaceName {
    const name = { text: String.fromCharCode(...bytes), bytes, busIndex: -1 };
    if (this.known.length === NAMES_MAX) this.known.length = 0;
    this.known.push(name);
    return name;
  }
}

function matches(bytes: Uint8Array, start: number, name: Uint8Array): boolean {
  const length = name.length;
  for (let i = 0; i < length; i++) if (bytes[start + i] !== name[i]) return false;
  return bytes[start + length] === SPACE;
}
