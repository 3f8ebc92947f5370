import type { LogPage, LogPages } from '../log-pages.js';
import { unpackPage, type PackedPage } from './packed.js';

type Ask = (partition: number, offset: number) => Promise<PackedPage>;

/** The log of another thread. While a page is worked on, the next one is on its way. */
export class RemotePages implements LogPages {
  private readonly ahead = new Map<number, { offset: number; page: Promise<PackedPage> }>();

  constructor(private readonly ask: Ask) {}

  async next(partition: number, offset: number, signal: AbortSignal): Promise<LogPage> {
    signal.throwIfAborted();
    const known = this.ahead.get(partition);
    this.ahead.delete(partition);
    const asked = known?.offset === offset ? known.page : this.ask(partition, offset);
    const page = unpackPage(partition, await unlessAborted(asked, signal));
    const last = page.entries.at(-1);
    if (!page.isWhole && last) {
      const ahead = this.ask(partition, last.offset + 1);
      ahead.catch(() => undefined); // told to whoever asks for it
      this.ahead.set(partition, { offset: last.offset + 1, page: ahead });
    }
    return page;
  }
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const stop = (): void => aborted.reject(signal.reason as Error);
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
