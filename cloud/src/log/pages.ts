import type { Logger } from '@fleetlog/shared/log';
import { isDamage, type OrderedStore } from '@fleetlog/shared/store';
import * as keys from './keys.js';
import type { LogEntry } from './log.js';

export const pageEntriesMax = 128;
const pageBytesMax = 1024 * 1024;

export const toEntry = (partition: number, offset: number, value: Uint8Array): LogEntry => ({
  partition,
  offset,
  receiveTimeUs: keys.receiveTimeOf(value),
  bytes: keys.batchOf(value),
});

/** Reads a partition in pages, around what is damaged. */
export class LogPages {
  constructor(
    private readonly store: OrderedStore,
    private readonly logger: Logger,
  ) {}

  /**
   * Entries of `[from, to)` in pages of about a megabyte. No read stays open between two pages, so a slow reader holds
   * nothing; a page is sized by the largest entry of the one before.
   */
  async *read(partition: number, from: number, to: number, limit = Infinity): AsyncIterable<LogEntry[]> {
    let pageEntries = 16;
    let left = limit;
    for (let at = from; at < to && left > 0;) {
      const count = Math.min(pageEntries, left, to - at);
      const { page, next } = await this.page(partition, at, to, count);
      at = next;
      if (page.length === 0) continue;
      yield page;
      left -= page.length;
      const largest = page.reduce((most, { bytes }) => Math.max(most, bytes.length), 1);
      pageEntries = Math.max(1, Math.min(pageEntriesMax, Math.floor(pageBytesMax / largest)));
    }
  }

  /** `next`: where the page after it begins; `to` where there is nothing more, as after a trim. */
  private async page(
    partition: number,
    at: number,
    to: number,
    limit: number,
  ): Promise<{ page: LogEntry[]; next: number }> {
    const page: LogEntry[] = [];
    try {
      const range = keys.entryRange(partition, at, to);
      for await (const { key, value } of this.store.entries(range, { limit, prefetch: limit })) {
        page.push(toEntry(partition, keys.offsetOf(key), value));
      }
      return { page, next: page.length > 0 ? page[page.length - 1].offset + 1 : to };
    } catch (error) {
      if (!isDamage(error)) throw error;
      return { page: await this.undamaged(partition, at, limit), next: at + limit };
    }
  }

  /** One by one what a page couldn't give as a whole. */
  private async undamaged(partition: number, first: number, count: number): Promise<LogEntry[]> {
    const page: LogEntry[] = [];
    for (let offset = first; offset < first + count; offset++) {
      try {
        const value = await this.store.get(keys.entryKey(partition, offset));
        if (value) page.push(toEntry(partition, offset, value));
      } catch (error) {
        if (!isDamage(error)) throw error;
        this.logger.error({ partition, offset, error }, 'an entry of the log is damaged, and left out');
      }
    }
    return page;
  }
}
