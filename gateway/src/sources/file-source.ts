import { open, type FileHandle } from 'node:fs/promises';
import type { Origin, StreamKind } from '@fleetlog/shared/batch';
import { FleetlogError, systemCode } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';
import { Batcher } from '../batch/batcher.js';
import type { BatchLimits } from '../batch/limits.js';
import type { Feed, FeedStop } from './feed.js';
import {
  decodePosition,
  encodePosition,
  isSameFile,
  readFileHead,
  type FileHead,
  type FilePosition,
} from './file-position.js';
import { LineWindow } from './line-window.js';
import { MalformedReports } from './malformed-reports.js';
import { Pacer } from './pacer.js';
import type { BatchSink, Source, SourceCounters } from './source.js';

const CHUNK_BYTES = 256 * 1024;

export interface FileSourceOptions {
  stream: string;
  path: string;
  /** 1 is the recording's own pace, Infinity as fast as the sink takes it. */
  paceFactor: number;
  /** Each record when the wall clock shows its time, those of the past at once; `paceFactor` is 1. */
  byClock: boolean;
  origin: Origin;
  /** `now`: all times are shifted so that the first record is now. */
  times: 'original' | 'now';
  /** Stop at the first malformed line. */
  strict: boolean;
  limits: BatchLimits;
  /** A new feed for each run. */
  createFeed: () => Feed;
  clock: Clock;
  logger: Logger;
}

/**
 * A recording, fed as if it came from the vehicle. It goes on at the stored position as long as the file is the same;
 * a file that was read to its end is done at once, unless it has grown. Memory doesn't depend on the file's size.
 *
 * A last line without a line feed is kept where it makes sense; otherwise it is malformed, and read again at the next
 * start, when it may be complete. The counters `malformed` and `timeReversals` are those of the whole file, `records`
 * is counted since the start.
 */
export class FileSource implements Source {
  readonly kind: StreamKind;
  readonly finite = true;
  readonly counters: SourceCounters = {
    records: 0,
    malformed: 0,
    timeReversals: 0,
    positionBytes: 0,
    totalBytes: 0,
  };

  constructor(private readonly options: FileSourceOptions) {
    this.kind = options.createFeed().kind;
  }

  async run(sink: BatchSink, position: Uint8Array | undefined, signal: AbortSignal): Promise<void> {
    await using file = await openFile(this.options.path);
    const { size } = await file.stat();
    this.counters.totalBytes = size;
    const resume = await this.resumeAt(file, size, position);
    const run = new FileRun(this.options, this.counters, file, await readFileHead(file), resume, sink);
    await run.toTheEnd(signal);
  }

  private async resumeAt(
    file: FileHandle,
    size: number,
    stored: Uint8Array | undefined,
  ): Promise<FilePosition | undefined> {
    if (!stored) return undefined;
    const position = decodePosition(stored);
    if (position && (await isSameFile(file, size, position))) return position;
    const { path, logger } = this.options;
    logger.warn({ path }, `${path} isn't the file that was read before: it is read from its start.`);
    return undefined;
  }
}

/** One run through a file, from where the last one stopped. */
class FileRun {
  private readonly feed: Feed;
  private readonly window: LineWindow;
  private readonly batcher: Batcher;
  private readonly pacer: Pacer;
  private readonly reports: MalformedReports;
  private readonly recordsBefore: number;
  /** False until the first record's time has set the pace and the shift. */
  private started: boolean;
  private shiftKnown: boolean;
  private lookedAhead: boolean;
  private readToEnd = false;
  private readOffset: number;

  constructor(
    private readonly options: FileSourceOptions,
    private readonly counters: SourceCounters,
    private readonly file: FileHandle,
    private readonly head: FileHead,
    resume: FilePosition | undefined,
    sink: BatchSink,
  ) {
    const { stream, limits, clock, logger, path, paceFactor, times, origin } = options;
    const feed = options.createFeed();
    this.feed = feed;
    this.window = new LineWindow(feed.lineBytesMax, CHUNK_BYTES, resume?.offset, feed.cutsLines);
    this.batcher = new Batcher({
      stream,
      origin,
      limits,
      sink,
      clock,
      columns: feed.columns,
      encode: () => feed.encode(),
    });
    this.pacer = new Pacer(clock, paceFactor);
    this.reports = new MalformedReports(path, logger);
    this.recordsBefore = counters.records;
    this.readOffset = resume?.offset ?? 0;
    if (resume) {
      feed.restore(resume.feed);
      feed.shiftUs = resume.shiftUs;
    }
    this.lookedAhead = resume !== undefined;
    this.shiftKnown = times === 'original' || resume !== undefined;
    this.started = this.shiftKnown && paceFactor === Infinity;
    this.count();
  }

  async toTheEnd(signal: AbortSignal): Promise<void> {
    const { feed, batcher } = this;
    try {
      while (!signal.aborted) {
        if (batcher.full) await this.seal();
        feed.dueUs = this.started ? this.pacer.dueUs() : -Infinity;
        const stop = this.take();
        if (stop === 'seal') await this.seal();
        else if (stop === 'rewound') this.rewound();
        else if (stop === 'malformed') await this.malformed();
        else if (stop === 'later') await this.later(signal);
        else if (this.readToEnd && !this.window.unfinished) break;
        else await this.fill();
      }
      await this.seal();
    } finally {
      this.count();
      this.reports.finish();
    }
  }

  private take(): FeedStop {
    const { feed, window, batcher } = this;
    const wholeLines = window.skipped || window.at < window.linesEnd;
    const atLast = this.readToEnd && !wholeLines && window.unfinished;
    return atLast ? feed.takeUnfinished(window, batcher) : feed.take(window, batcher);
  }

  private async fill(): Promise<void> {
    const { feed, window, file } = this;
    if (this.batcher.lingerLeftMs() === 0) await this.seal();
    const room = window.room();
    const bytesRead = await this.read(file, room);
    this.readOffset += bytesRead;
    if (bytesRead === 0) this.readToEnd = true;
    else window.filled(bytesRead);
    if (!this.lookedAhead) feed.lookAhead(window);
    this.lookedAhead = true;
    this.count();
  }

  private async read(file: FileHandle, room: Uint8Array): Promise<number> {
    try {
      return (await file.read(room, 0, room.length, this.readOffset)).bytesRead;
    } catch (cause) {
      const { path } = this.options;
      const why = systemCode(cause) ?? 'unknown error';
      throw new FleetlogError('FLEETLOG_SOURCE', `${path} can't be read any further (${why}).`, { cause });
    }
  }

  /** The next record isn't due yet; the very first one sets what is due when. */
  private async later(signal: AbortSignal): Promise<void> {
    const { feed, batcher, pacer } = this;
    const { clock, byClock } = this.options;
    if (!this.started) {
      if (!this.shiftKnown) feed.shiftUs = Math.round(clock.nowUs() - feed.nextTimeUs);
      if (byClock) pacer.start(clock.nowUs());
      else pacer.start(this.shiftKnown ? feed.nextTimeUs : feed.nextTimeUs + feed.shiftUs);
      this.shiftKnown = true;
      this.started = true;
      return;
    }
    this.count();
    const waitMs = Math.min(pacer.waitMs(feed.nextTimeUs), batcher.lingerLeftMs());
    if (waitMs === 0) return this.seal();
    try {
      await clock.sleep(waitMs, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  private rewound(): void {
    if (!this.options.byClock) this.pacer.start(this.feed.lastTimeUs);
  }

  private async malformed(): Promise<void> {
    const { lineNumber, reason } = this.feed;
    // What stops a strict source, and a last line that may be completed, are read again at the next start.
    if (this.options.strict || this.readToEnd) await this.seal(true);
    if (this.options.strict) throw this.reports.error(lineNumber, reason);
    this.reports.report(lineNumber, reason);
  }

  private async seal(beforeRefused = false): Promise<void> {
    if (this.batcher.columns.count === 0) return;
    await this.batcher.seal(this.position(beforeRefused));
    this.count();
  }

  /** Behind the last line taken, or before it where it was refused. */
  private position(beforeRefused: boolean): Uint8Array {
    const { feed, window, head } = this;
    const state = feed.state();
    if (beforeRefused) {
      state.lineNumber--;
      state.malformed--;
    }
    const offset = beforeRefused ? feed.refusedOffset : window.position;
    return encodePosition({ version: 1, offset, head, shiftUs: feed.shiftUs, feed: state });
  }

  private count(): void {
    const { counters, feed } = this;
    counters.records = this.recordsBefore + feed.counters.records;
    counters.malformed = feed.counters.malformed;
    counters.timeReversals = feed.counters.timeReversals;
    if (!feed.cutsLines) counters.noiseBytes = feed.noiseBytes;
    counters.positionBytes = this.window.position;
  }
}

async function openFile(path: string): Promise<FileHandle> {
  let file: FileHandle;
  try {
    file = await open(path);
  } catch (cause) {
    const code = systemCode(cause);
    const why =
      code === 'ENOENT' || code === 'ENOTDIR'
        ? "doesn't exist"
        : code === 'EACCES' || code === 'EPERM'
          ? "can't be read: no permission"
          : `can't be read (${code ?? 'unknown error'})`;
    throw new FleetlogError('FLEETLOG_CONFIG', `The recording ${path} ${why}.`, { cause });
  }
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw new FleetlogError(
    'FLEETLOG_CONFIG',
    `The recording ${path} isn't a file; for a pipe, use "source: command" with "cat ${path}".`,
  );
}
