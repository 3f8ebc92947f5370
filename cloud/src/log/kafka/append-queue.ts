import type { LogAppend, LogNote } from '../log.js';

export interface QueuedAppend {
  entries: readonly LogAppend[];
  notes: readonly LogNote[];
}

interface Waiting extends QueuedAppend {
  resolve: (offsets: number[]) => void;
  reject: (error: unknown) => void;
}

/** What one commit takes at most; a larger append goes alone. */
const commitBytesMax = 16 * 1024 * 1024;

/** Appends in the order of the calls; what waits while a commit is under way goes with the next one, together. */
export class AppendQueue {
  private waiting: Waiting[] = [];
  private running: Promise<void> | undefined;

  constructor(private readonly commit: (appends: readonly QueuedAppend[]) => Promise<number[][]>) {}

  add(append: QueuedAppend): Promise<number[]> {
    const { promise, resolve, reject } = Promise.withResolvers<number[]>();
    this.waiting.push({ ...append, resolve, reject });
    this.running ??= this.run().finally(() => (this.running = undefined));
    return promise;
  }

  async idle(): Promise<void> {
    while (this.running) await this.running;
  }

  private async run(): Promise<void> {
    while (this.waiting.length > 0) {
      const group = this.take();
      try {
        const offsets = await this.commit(group);
        for (const [i, { resolve }] of group.entries()) resolve(offsets[i]);
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
  }

  private take(): Waiting[] {
    let [count, bytes] = [0, 0];
    for (const { entries } of this.waiting) {
      bytes += entries.reduce((sum, entry) => sum + entry.bytes.length, 0);
      if (count > 0 && bytes > commitBytesMax) break;
      count++;
    }
    return this.waiting.splice(0, count);
  }
}
