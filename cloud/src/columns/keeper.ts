import { setImmediate } from 'node:timers/promises';
import { isDataError, type FleetlogError } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';
import { mergeRecords } from '../export/merge.js';
import { minuteUs } from '../index/changes.js';
import type { Index, StreamSummary } from '../index/index.js';
import type { Log } from '../log/log.js';
import { MinuteColumns, type Column } from './column.js';
import type { ColumnStore, KeptMinute } from './store.js';

export interface ColumnKeeperOptions {
  index: Index;
  log: Log;
  columns: ColumnStore;
  clock: Clock;
  logger: Logger;
  /** Nothing is kept while there is none. */
  room?: { readonly isFull: boolean } | undefined;
  /** Part of the time that it works, at most; the rest is for those who wait. */
  share?: number;
}

const everyMs = 5000;
/** Minutes that are looked at together: of what is new, and of all. */
const newUs = 60 * minuteUs;
const stretchUs = 24 * 60 * minuteUs;
/** How far back it looks for minutes to keep, from a stream's last one. */
const reachUs = 7 * 24 * 60 * minuteUs;
/** After so long it looks at all of that again; at the last hour whenever a minute is over. */
const lookBackEveryUs = 3600 * 1_000_000;
const tenth = 0.1;

/** What is known of a stream from the last look at it. */
interface Look {
  /** In which its last record was, as it was stamped. */
  minute: number;
  /** Up to where minutes were over. */
  endUs: number;
  /** When all of them were looked at, monotonic. */
  allUs: number;
}

/**
 * Follows all CAN streams and keeps their past minutes by identifier, the latest first, until there is no more room. What
 * a late batch, a trim or a better clock makes stale is made anew when it is noticed; nobody reads it until then.
 */
export class ColumnKeeper {
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;
  /** By gateway and stream. */
  private readonly looked = new Map<string, Look>();
  /** Revisions of minutes that can't be kept, by gateway, stream and start. */
  private readonly refused = new Map<string, number>();

  constructor(private readonly options: ColumnKeeperOptions) {}

  /** Follows from now on, until it is disposed of. */
  start(): void {
    this.running ??= this.run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { clock, logger } = this.options;
    const { signal } = this.stopping;
    while (!signal.aborted) {
      try {
        await this.follow();
      } catch (error) {
        if (!signal.aborted) logger.warn({ error }, 'minutes were not kept by identifier; trying again');
      }
      await clock.sleep(everyMs, signal).catch(() => {}); // the loop looks at the signal
    }
  }

  /** Looks at what has come since the last time, or at `all` minutes, and keeps what isn't kept. */
  async follow({ all = false }: { all?: boolean } = {}): Promise<void> {
    const streams: StreamSummary[] = [];
    for await (const summary of this.options.index.streams())
      if (summary.kind === 'can') streams.push(summary);
    for (const summary of streams) await this.followStream(summary, all);
    const names = new Set(streams.map(({ gateway, stream }) => `${gateway}/${stream}`));
    for (const { gateway, stream } of this.options.columns.all) {
      if (!names.has(`${gateway}/${stream}`)) await this.dropOutside(gateway, stream, Infinity, Infinity);
    }
  }

  /** A stream in which no minute has ended since the last look costs next to nothing. */
  private async followStream({ gateway, stream, lastTimeUs }: StreamSummary, all: boolean): Promise<void> {
    const { index, clock } = this.options;
    const name = `${gateway}/${stream}`;
    const beganUs = clock.monotonicUs();
    const last = this.looked.get(name) ?? { minute: NaN, endUs: -Infinity, allUs: -Infinity };
    const isAll = all || beganUs - last.allUs >= lookBackEveryUs;
    const minute = Math.floor((lastTimeUs ?? NaN) / minuteUs);
    if (minute === last.minute && !isAll) return;
    const times = await index.times(gateway, stream, 'corrected');
    await this.rest(beganUs);
    if (!times) return;
    const endUs = Math.floor(times.lastTimeUs / minuteUs) * minuteUs;
    const firstUs = Math.floor(Math.max(times.firstTimeUs, endUs - reachUs) / minuteUs) * minuteUs;
    if (isAll) await this.dropOutside(gateway, stream, firstUs, endUs);
    const fromUs = isAll ? firstUs : Math.max(firstUs, Math.min(last.endUs, endUs - newUs));
    for (let toUs = endUs; toUs > fromUs; toUs -= stretchUs) {
      if (!(await this.keepStretch(gateway, stream, Math.max(fromUs, toUs - stretchUs), toUs))) break;
    }
    this.looked.set(name, { minute, endUs, allUs: isAll ? beganUs : last.allUs });
  }

  /** Leaves the rest of the time to others. */
  private async rest(beganUs: number): Promise<void> {
    const { clock, share = tenth } = this.options;
    const workedMs = (clock.monotonicUs() - beganUs) / 1000;
    if (share < 1) await clock.sleep(workedMs * (1 / share - 1), this.stopping.signal);
  }

  /** What lies before, or behind, all that is looked at. */
  private async dropOutside(gateway: string, stream: string, fromUs: number, toUs: number): Promise<void> {
    const { columns } = this.options;
    for (const startUs of columns.stream(gateway, stream)?.minutes.keys() ?? []) {
      if (startUs < fromUs || startUs >= toUs) await columns.drop(gateway, stream, startUs);
    }
  }

  /** The latest minute first. False where there is no room for older ones. */
  private async keepStretch(gateway: string, stream: string, fromUs: number, toUs: number): Promise<boolean> {
    const { index, columns } = this.options;
    const beganUs = this.options.clock.monotonicUs();
    const revisions = await index.revisions({ gateway, stream, fromUs, toUs });
    await this.rest(beganUs);
    for (let i = revisions.length - 1; i >= 0; i--) {
      const startUs = fromUs + i * minuteUs;
      const kept = columns.stream(gateway, stream)?.minutes.get(startUs);
      const revision = revisions[i];
      if (kept?.revision === revision) continue;
      if (kept) await columns.drop(gateway, stream, startUs);
      if (revision === 0 || this.refused.get(`${gateway}/${stream}/${startUs}`) === revision) continue;
      if (columns.isFull && startUs < columns.oldestUs) return false;
      await this.keepMinute(gateway, stream, { startUs, revision });
    }
    return true;
  }

  private async keepMinute(
    gateway: string,
    stream: string,
    minute: Pick<KeptMinute, 'startUs' | 'revision'>,
  ): Promise<void> {
    const { columns, clock, logger, room } = this.options;
    if (room?.isFull) return;
    const { signal } = this.stopping;
    const beganUs = clock.monotonicUs();
    try {
      const made = await this.columnsOf(gateway, stream, minute.startUs);
      await columns.put(gateway, stream, { ...minute, columns: made });
    } catch (error) {
      signal.throwIfAborted();
      if (!isDataError(error) && (error as FleetlogError).code !== 'FLEETLOG_USAGE') throw error;
      if (this.refused.size >= refusedMax) this.refused.clear();
      this.refused.set(`${gateway}/${stream}/${minute.startUs}`, minute.revision);
      logger.info({ gateway, stream, startUs: minute.startUs, error }, 'a minute is not kept by identifier');
    }
    await this.rest(beganUs);
  }

  private async columnsOf(gateway: string, stream: string, startUs: number): Promise<Column[]> {
    const { index, log } = this.options;
    const range = { gateway, stream, fromUs: startUs, toUs: startUs + minuteUs, times: 'corrected' as const };
    const check = (): void => this.stopping.signal.throwIfAborted();
    const minute = new MinuteColumns();
    for await (const { records, from, to } of mergeRecords({ index, log, range, kinds: ['can'], check })) {
      if (records.kind === 'can') minute.add(records.columns, from, to);
      await setImmediate(); // whoever waits for this process comes first
    }
    const made: Column[] = [];
    for (const column of minute.encoded()) {
      made.push(column);
      await setImmediate();
      check();
    }
    return made;
  }
}

const refusedMax = 10_000;
