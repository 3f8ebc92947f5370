import type { Clock } from '@fleetlog/shared/util';
import type { ApiClient } from '../client/api-client.js';
import { lineTimeUs, withLineTime } from './line-time.js';
import { Pacer } from './pacer.js';
import { rangeOf, replayAll, replayWindows, type ReplayQuery, type ReplayRange } from './source.js';
import type { ReplayTarget } from './targets.js';

export interface ReplayOptions {
  query: ReplayQuery;
  /** Event time per time; Infinity for as fast as it goes. */
  speed: number;
  loop: boolean;
  /** `now`: each record has the time at which it is due. */
  times: 'original' | 'now';
}

/** Fetched ahead, of event time at speed 1. */
const windowUs = 5_000_000;

/** The past once more: records of all streams in event-time order, when they are due. */
export class Replay {
  readonly pacer: Pacer;
  private seekUs: number | undefined;
  private nowAtUs = 0;
  private playing = new AbortController();

  constructor(
    private readonly api: ApiClient,
    private readonly clock: Clock,
    private readonly options: ReplayOptions,
  ) {
    this.pacer = new Pacer(clock, options.speed);
  }

  sent = 0;

  /** Event time of the record that was sent last, or that was sought, µs. */
  get positionUs(): number {
    return this.nowAtUs;
  }

  /** Goes on from another event time, or from the nearest end of the range. */
  seek(eventUs: number): void {
    this.seekUs = eventUs;
    this.nowAtUs = eventUs;
    this.playing.abort();
  }

  /** Resolves at the end of the range, or by the signal. Errors: those of the API and of the target. */
  async run(target: ReplayTarget, signal: AbortSignal): Promise<void> {
    const { query, loop } = this.options;
    const range = await rangeOf(this.api, query);
    let from = range.fromUs;
    while (!signal.aborted) {
      this.playing = new AbortController();
      this.pacer.restart();
      const before = this.sent;
      await this.play(
        { fromUs: from, toUs: range.toUs },
        target,
        AbortSignal.any([signal, this.playing.signal]),
      );
      if (this.seekUs !== undefined) {
        from = Math.min(range.toUs, Math.max(range.fromUs, this.seekUs));
        this.seekUs = undefined;
      } else if (!loop || this.sent === before) return;
      else from = range.fromUs;
    }
  }

  private async play(range: ReplayRange, target: ReplayTarget, signal: AbortSignal): Promise<void> {
    const { query, speed } = this.options;
    const groups =
      speed === Infinity
        ? replayAll(this.api, query, range, signal)
        : replayWindows(this.api, query, range, windowUs * speed, signal);
    try {
      for await (const lines of groups) {
        for (const line of lines) {
          if (signal.aborted) return;
          const waiting = this.playLine(line, target, signal);
          if (waiting) await waiting;
        }
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  private playLine(line: string, target: ReplayTarget, signal: AbortSignal): Promise<void> | undefined {
    const { format } = this.options.query;
    const eventUs = lineTimeUs(line, format);
    if (eventUs === undefined) return undefined; // no record
    const due = this.pacer.due(eventUs, signal);
    return due
      ? due.then(() => (signal.aborted ? undefined : this.emit(line, eventUs, target)))
      : this.emit(line, eventUs, target);
  }

  private emit(line: string, eventUs: number, target: ReplayTarget): Promise<void> | undefined {
    const { query, times } = this.options;
    this.pacer.sent(eventUs);
    this.sent++;
    this.nowAtUs = eventUs;
    return target.send(times === 'now' ? withLineTime(line, query.format, this.clock.nowUs()) : line);
  }
}
