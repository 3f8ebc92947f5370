import type { BatchFacts } from '../index/index.js';
import type { Log } from '../log/log.js';

interface ReadBatch {
  facts: BatchFacts;
  bytes: Uint8Array;
}

const windowBatchesMax = 32;
const windowBytesMax = 4 * 1024 * 1024;

/**
 * Batches in the order of the index, with the bytes of the next ones read ahead while the current ones are worked on:
 * two windows at most. Batches that the log has trimmed are left out.
 */
export class BatchWalk {
  private window: ReadBatch[] = [];
  private at = 0;
  private ahead: Promise<ReadBatch[]>;

  private constructor(
    private readonly facts: AsyncIterator<BatchFacts>,
    private readonly log: Log,
  ) {
    this.ahead = this.readAhead();
  }

  static async open(facts: AsyncIterable<BatchFacts>, log: Log): Promise<BatchWalk> {
    const walk = new BatchWalk(facts[Symbol.asyncIterator](), log);
    await walk.turn();
    return walk;
  }

  /** The batch that comes next; undefined at the end. */
  get next(): ReadBatch | undefined {
    return this.window[this.at];
  }

  async advance(): Promise<void> {
    if (++this.at >= this.window.length) await this.turn();
  }

  private async turn(): Promise<void> {
    this.at = 0;
    this.window = await this.ahead;
    if (this.window.length > 0) this.ahead = this.readAhead();
  }

  private readAhead(): Promise<ReadBatch[]> {
    const window = this.readWindow();
    window.catch(() => {}); // whoever turns to it gets the error
    return window;
  }

  private async readWindow(): Promise<ReadBatch[]> {
    for (;;) {
      const wanted: BatchFacts[] = [];
      let bytes = 0;
      while (wanted.length < windowBatchesMax && bytes < windowBytesMax) {
        const { done, value } = await this.facts.next();
        if (done) break;
        wanted.push(value);
        bytes += value.bytes;
      }
      if (wanted.length === 0) return [];
      const window: ReadBatch[] = [];
      // All batches of a gateway are in one partition.
      const entries = await this.log.get(
        wanted[0].partition,
        wanted.map(({ offset }) => offset),
      );
      for (let i = 0; i < wanted.length; i++) {
        const entry = entries[i];
        if (entry) window.push({ facts: wanted[i], bytes: entry.bytes });
      }
      if (window.length > 0) return window;
    }
  }
}
