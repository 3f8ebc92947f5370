import { inflateSync } from 'node:zlib';
import { FleetlogError } from '@fleetlog/shared/errors';
import type { Recording } from './recording.js';

const headBytes = 24;
const linksMax = 65_536;
const blockBytesMax = 64 * 1024 * 1024;
const chunkBytes = 256 * 1024;
/** Of blocks in a chain, so that a loop ends. */
const chainMax = 100_000;

/** A block of MDF 4: links to others, then data. */
export interface Block {
  /** `HD`, `DG`. */
  type: string;
  links: readonly number[];
  /** Where its data begin in the file, and how many there are. */
  dataAt: number;
  dataBytes: number;
}

/** Reads the blocks of a file. Errors: FLEETLOG_USAGE with the offset of what isn't a block. */
export class Mf4Blocks {
  constructor(
    private readonly recording: Recording,
    /** A recorder that lost power left the last data block's length unset: it goes to the end of the file. */
    private readonly isUnfinished: boolean,
  ) {}

  async block(at: number): Promise<Block> {
    const head = await this.recording.read(at, headBytes);
    if (head.length < headBytes || head.toString('latin1', 0, 2) !== '##')
      throw this.damaged(at, 'no block begins here');
    const type = head.toString('latin1', 2, 4);
    const count = Number(head.readBigUInt64LE(16));
    const length = Number(head.readBigUInt64LE(8));
    if (count > linksMax) throw this.damaged(at, 'the block has too many links');
    const raw = await this.recording.read(at + headBytes, 8 * count);
    if (raw.length < 8 * count) throw this.damaged(at, 'the file ends in this block');
    const links = Array.from({ length: count }, (_, i) => Number(raw.readBigUInt64LE(8 * i)));
    const dataAt = at + headBytes + 8 * count;
    const toEnd = this.recording.size - dataAt;
    const dataBytes = this.isUnfinished && type === 'DT' ? toEnd : Math.min(toEnd, length - (dataAt - at));
    return { type, links, dataAt, dataBytes: Math.max(0, dataBytes) };
  }

  data({ dataAt, dataBytes }: Block): Promise<Buffer> {
    if (dataBytes > blockBytesMax) throw this.damaged(dataAt, `the block is over ${blockBytesMax} bytes`);
    return this.recording.read(dataAt, dataBytes);
  }

  /** The text of a TX or MD block; nothing for no link. */
  async text(at: number): Promise<string> {
    if (at === 0) return '';
    const bytes = await this.data(await this.block(at));
    const end = bytes.indexOf(0);
    return bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
  }

  /** Blocks that are linked to a list by their first link. */
  async *chain(at: number): AsyncGenerator<{ at: number; block: Block }> {
    for (let count = 0, next = at; next !== 0; count++) {
      if (count === chainMax) throw this.damaged(at, 'the list of blocks has no end');
      const block = await this.block(next);
      yield { at: next, block };
      next = block.links[0] ?? 0;
    }
  }

  /** What a link to data leads to: plain, compressed, or a list of either; in pieces. */
  async *content(at: number): AsyncGenerator<Buffer> {
    if (at === 0) return;
    const block = await this.block(at);
    if (block.type === 'HL') {
      yield* this.content(block.links[0]);
    } else if (block.type === 'DL') {
      for await (const { block: list } of this.chain(at)) {
        for (const link of list.links.slice(1)) yield* this.content(link);
      }
    } else if (block.type === 'DZ') {
      yield unpacked(await this.data(block)) ?? (await Promise.reject(this.damaged(at, "it doesn't unpack")));
    } else {
      for (let done = 0; done < block.dataBytes; done += chunkBytes) {
        yield await this.recording.read(block.dataAt + done, Math.min(chunkBytes, block.dataBytes - done));
      }
    }
  }

  damaged(at: number, why: string): FleetlogError {
    return new FleetlogError(
      'FLEETLOG_USAGE',
      `${this.recording.path} isn't a sound MF4 file: at byte ${at} ${why}.`,
    );
  }
}

/** The content of a DZ block: deflated, maybe as columns. */
function unpacked(bytes: Buffer): Buffer | undefined {
  const isTransposed = bytes[2] === 1;
  const width = bytes.readUInt32LE(4);
  let plain: Buffer;
  try {
    plain = inflateSync(bytes.subarray(24), { maxOutputLength: blockBytesMax });
  } catch {
    return undefined;
  }
  if (!isTransposed || width === 0) return plain;
  const rows = Math.floor(plain.length / width);
  const whole = Buffer.from(plain);
  for (let column = 0; column < width; column++) {
    for (let row = 0; row < rows; row++) whole[row * width + column] = plain[column * rows + row];
  }
  return whole;
}
