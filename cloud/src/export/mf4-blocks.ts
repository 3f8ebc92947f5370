import { GrowingBytes } from './growing-bytes.js';

const headBytes = 24;

/** Blocks of MDF 4: a head, links to other blocks, and data; each begins at a multiple of 8. */
export class Mf4Blocks {
  readonly bytes = new GrowingBytes(16 * 1024);
  private readonly texts = new Map<string, number>();

  /** Adds a block and tells where it is. A link is such a place, 0 for none. */
  add(type: string, links: readonly number[], data: (to: GrowingBytes) => void): number {
    const { bytes } = this;
    const at = bytes.length;
    bytes.utf8(`##${type}`);
    bytes.u32(0);
    bytes.u64(0);
    bytes.u64(links.length);
    for (const link of links) bytes.u64(link);
    data(bytes);
    bytes.setU64(at + 8, bytes.length - at);
    while (bytes.length % 8 !== 0) bytes.u8(0);
    return at;
  }

  /** A block of text; the same text has the same block. */
  text(text: string, type: 'TX' | 'MD' = 'TX'): number {
    const known = this.texts.get(text);
    if (known !== undefined) return known;
    const at = this.add(type, [], (to) => {
      to.utf8(text);
      to.u8(0);
    });
    this.texts.set(text, at);
    return at;
  }

  setLink(block: number, link: number, to: number): void {
    this.bytes.setU64(block + headBytes + 8 * link, to);
  }
}
