import type { Origin, StreamKind } from '@fleetlog/shared/batch';
import type { Logger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';
import { Batcher } from '../batch/batcher.js';
import type { BatchLimits } from '../batch/limits.js';
import { CommandProcess } from './command-process.js';
import type { Feed, FeedStop } from './feed.js';
import { LineWindow } from './line-window.js';
import { MalformedReports } from './malformed-reports.js';
import { TICK_MS } from './pacer.js';
import type { BatchSink, Source, SourceCounters } from './source.js';

const CHUNK_BYTES = 64 * 1024;
const RESTART_MS_MIN = 1000;
const RESTART_MS_MAX = 30_000;
/** So much output at once says that more is waiting: it isn't given time to gather. */
const BUSY_BYTES = CHUNK_BYTES / 2;

export interface CommandSourceOptions {
  stream: string;
  /** A line for /bin/sh, or program and arguments. */
  command: string | readonly string[];
  origin: Origin;
  limits: BatchLimits;
  /** A new feed for each start of the command. */
  createFeed: () => Feed;
  clock: Clock;
  logger: Logger;
}

/**
 * The standard output of a command, such as `candump -L can0`. It is live: it can't go back, and a command that ends
 * is started again after 1 s, 2 s … 30 s. Its standard error goes to the log. While the sink has no room its output
 * isn't read, so that the command has to wait.
 */
export class CommandSource implements Source {
  readonly kind: StreamKind;
  readonly finite = false;
  readonly counters: SourceCounters = { records: 0, malformed: 0, timeReversals: 0 };

  constructor(private readonly options: CommandSourceOptions) {
    this.kind = options.createFeed().kind;
  }

  async run(sink: BatchSink, _position: Uint8Array | undefined, signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.options;
    let restartMs = RESTART_MS_MIN;
    while (!signal.aborted) {
      const recordsBefore = this.counters.records;
      await this.runOnce(sink, signal);
      if (signal.aborted) return;
      if (this.counters.records > recordsBefore) restartMs = RESTART_MS_MIN;
      logger.warn({ restartMs }, `The command is started again in ${restartMs / 1000} s.`);
      await clock.sleep(restartMs, signal).catch(() => undefined);
      restartMs = Math.min(2 * restartMs, RESTART_MS_MAX);
    }
  }

  /** Resolves when the command has ended and all of its output is put. */
  private async runOnce(sink: BatchSink, signal: AbortSignal): Promise<void> {
    const { command, clock, logger } = this.options;
    const child = new CommandProcess(command, clock, logger);
    try {
      await new CommandRun(this.options, this.counters, sink).read(child, signal);
    } finally {
      await child.stop(signal.aborted);
    }
  }
}

/** One life of the command. */
class CommandRun {
  private readonly feed: Feed;
  private readonly window: LineWindow;
  private readonly batcher: Batcher;
  private readonly reports: MalformedReports;
  private readonly before: SourceCounters;

  constructor(
    private readonly options: CommandSourceOptions,
    private readonly counters: SourceCounters,
    sink: BatchSink,
  ) {
    const { stream, origin, limits, clock, command, logger } = options;
    const feed = options.createFeed();
    this.feed = feed;
    this.window = new LineWindow(feed.lineBytesMax, CHUNK_BYTES);
    this.batcher = new Batcher({
      stream,
      origin,
      limits,
      sink,
      clock,
      columns: feed.columns,
      encode: () => feed.encode(),
    });
    this.reports = new MalformedReports(typeof command === 'string' ? command : command.join(' '), logger);
    this.before = { ...counters };
  }

  async read(child: CommandProcess, signal: AbortSignal): Promise<void> {
    const { batcher, window } = this;
    const { clock } = this.options;
    try {
      while (!signal.aborted) {
        const chunk = child.read();
        if (chunk !== null) await this.takeChunk(chunk);
        if (batcher.lingerLeftMs() === 0) await batcher.seal();
        if (chunk === null && child.outputEnded) break;
        if (chunk === null) await child.moreOutput(batcher.lingerLeftMs(), signal);
        else if (chunk.length < BUSY_BYTES) await clock.sleep(TICK_MS, signal).catch(() => undefined);
      }
      if (window.unfinished && !signal.aborted) await this.takeUnfinished();
    } finally {
      this.reports.finish();
    }
    await batcher.seal();
  }

  private async takeChunk(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length;) {
      const room = this.window.room();
      const part = chunk.subarray(at, at + room.length);
      room.set(part);
      this.window.filled(part.length);
      at += part.length;
      await this.takeLines();
    }
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
  }
}
