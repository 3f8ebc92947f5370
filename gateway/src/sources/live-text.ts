import type { Origin } from '@fleetlog/shared/batch';
import type { Logger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';
import { Batcher } from '../batch/batcher.js';
import type { BatchLimits } from '../batch/limits.js';
import type { SourceClock } from '../time/source-clock.js';
import type { Feed, FeedStop } from './feed.js';
import { LineWindow } from './line-window.js';
import type { LiveInput } from './live-input.js';
import { MalformedReports } from './malformed-reports.js';
import { TICK_MS } from './pacer.js';
import type { BatchSink, SourceCounters } from './source.js';

const CHUNK_BYTES = 64 * 1024;
/** So much at once says that more is waiting: it isn't given time to gather. */
const BUSY_BYTES = CHUNK_BYTES / 2;

export interface LiveTextOptions {
  stream: string;
  origin: Origin;
  limits: BatchLimits;
  /** A new feed for each start of the input. */
  createFeed: (times: SourceClock) => Feed;
  /** Of the times that the records get or have, one for each start of the input. */
  createClock: () => SourceClock;
  /** Sees all that comes, before it is taken. */
  onChunk?: (chunk: Uint8Array) => void;
  clock: Clock;
  logger: Logger;
}

/** Brings the lines of one life of an input into batches. */
export class LiveText {
  private readonly feed: Feed;
  private readonly times: SourceClock;
  private readonly window: LineWindow;
  private readonly batcher: Batcher;
  private readonly reports: MalformedReports;
  private readonly before: SourceCounters;

  constructor(
    private readonly options: LiveTextOptions,
    /** What malformed lines are reported with. */
    place: string,
    private readonly counters: SourceCounters,
    sink: BatchSink,
  ) {
    const { stream, origin, limits, clock, logger } = options;
    this.times = options.createClock();
    const feed = options.createFeed(this.times);
    this.feed = feed;
    this.window = new LineWindow(feed.lineBytesMax, CHUNK_BYTES, 0, feed.cutsLines);
    this.batcher = new Batcher({
      stream,
      origin,
      limits,
      sink,
      clock,
      columns: feed.columns,
      encode: () => feed.encode(),
      clockOf: (payload) => this.times.ofBatch(payload),
    });
    this.reports = new MalformedReports(place, logger);
    this.before = { ...counters };
  }

  /** Resolves when the input has ended, or the signal aborts, and all that was read is put. */
  async read(input: LiveInput, signal: AbortSignal): Promise<void> {
    const { batcher, window } = this;
    const { clock } = this.options;
    try {
      while (!signal.aborted) {
        const chunk = input.read();
        if (chunk !== null) {
          this.options.onChunk?.(chunk);
          await this.takeChunk(chunk);
        }
        if (batcher.lingerLeftMs() === 0) await batcher.seal();
        if (chunk === null && input.ended) break;
        if (chunk === null) await input.more(batcher.lingerLeftMs(), signal);
        else if (chunk.length < BUSY_BYTES) await clock.sleep(TICK_MS, signal).catch(() => undefined);
      }
      if (window.unfinished && !signal.aborted) await this.takeUnfinished();
    } finally {
      this.reports.finish();
    }
    await batcher.seal();
  }

  private async takeChunk(chunk: Uint8Array): Promise<void> {
    await this.followClock();
    for (let at = 0; at < chunk.length;) {
      const room = this.window.room();
      const part = chunk.subarray(at, at + room.length);
      room.set(part);
      this.window.filled(part.length);
      at += part.length;
      await this.takeLines();
    }
  }

  /** A batch has one offset of the clock. */
  private async followClock(): Promise<void> {
    if (!this.times.changed) return;
    await this.batcher.seal();
    this.times.renew();
    this.feed.restartTimes();
  }

  private async takeLines(): Promise<void> {
    const { batcher, feed, window } = this;
    for (;;) {
      const stop = feed.take(window, batcher);
      await this.stopped(stop);
      if (stop === 'empty') return;
    }
  }

  private async takeUnfinished(): Promise<void> {
    const { batcher, feed, window } = this;
    while (window.unfinished) await this.stopped(feed.takeUnfinished(window, batcher));
  }

  private async stopped(stop: FeedStop): Promise<void> {
    const { batcher, feed } = this;
    this.count();
    if (stop === 'malformed') this.reports.report(feed.lineNumber, feed.reason);
    if (stop === 'seal' || batcher.full) await batcher.seal();
  }

  private count(): void {
    const { counters, before, feed } = this;
    counters.records = before.records + feed.counters.records;
    counters.malformed = before.malformed + feed.counters.malformed;
    counters.timeReversals = before.timeReversals + feed.counters.timeReversals;
    if (!feed.cutsLines) counters.noiseBytes = (before.noiseBytes ?? 0) + feed.noiseBytes;
  }
}
