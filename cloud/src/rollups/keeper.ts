import type { Logger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';
import type { Index } from '../index/index.js';
import type { Log } from '../log/log.js';
import { steps } from '../query/aggregator.js';
import { ColumnDecoder } from '../signals/column-decoder.js';
import type { Catalogue } from '../signals/catalogue/index.js';
import { streamSignals } from '../signals/directory.js';
import type { RecordedSignals } from '../signals/recorded-signals.js';
import { rolledSeries, rollupStep } from './rolled.js';
import type { RollupStore } from './store.js';

export interface KeeperOptions {
  index: Index;
  log: Log;
  catalogue: Catalogue;
  recorded: RecordedSignals;
  rollups: RollupStore;
  clock: Clock;
  logger: Logger;
  /** Signals that are kept whether anybody asks or not: gateway/stream/Message/Signal. */
  listed: readonly string[];
}

const [, minuteUs, hourUs] = steps;
const everyMs = 5000;

/**
 * Follows the streams of the signals that are kept, so that whoever asks again finds the cells made: those that were
 * asked for from an hour ago on, those that are listed from the beginning. What it misses is made when it is asked for.
 */
export class RollupKeeper {
  private readonly stopping = new AbortController();
  private readonly running: Promise<void>;
  /** By gateway and stream: up to where it has come. */
  private readonly doneUs = new Map<string, number>();

  constructor(private readonly options: KeeperOptions) {
    this.running = this.run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { clock, logger } = this.options;
    const { signal } = this.stopping;
    while (!signal.aborted) {
      let isBehind = false;
      try {
        isBehind = await this.follow();
      } catch (error) {
        if (!signal.aborted) logger.warn({ error }, 'sums were not kept; trying again');
      }
      if (!isBehind) await clock.sleep(everyMs, signal).catch(() => {}); // the loop looks at the signal
    }
  }

  /** One step of each stream; whether there is more to do. */
  private async follow(): Promise<boolean> {
    const { rollups, listed, clock } = this.options;
    const wanted = new Map<
      string,
      { gateway: string; stream: string; names: Set<string>; isListed: boolean }
    >();
    const want = (gateway: string, stream: string, name: string, isListed: boolean): void => {
      const key = `${gateway}/${stream}/${isListed}`;
      const known = wanted.get(key);
      if (known) known.names.add(name);
      else wanted.set(key, { gateway, stream, names: new Set([name]), isListed });
    };
    for (const full of listed) {
      const [gateway, stream, ...rest] = full.split('/');
      want(gateway, stream, rest.join('/'), true);
    }
    for (const { gateway, stream, name } of rollups.kept) {
      if (!listed.includes(`${gateway}/${stream}/${name}`)) want(gateway, stream, name, false);
    }
    let isBehind = false;
    for (const { gateway, stream, names, isListed } of wanted.values()) {
      const known = new Map(
        rollups.kept
          .filter((one) => one.gateway === gateway && one.stream === stream)
          .map((one) => [one.name, one.askedMs]),
      );
      const askedMs = isListed
        ? clock.nowUs() / 1000
        : Math.min(...Array.from(names, (name) => known.get(name) ?? 0));
      if (await this.followStream(gateway, stream, names, isListed, askedMs)) isBehind = true;
    }
    return isBehind;
  }

  private async followStream(
    gateway: string,
    stream: string,
    names: ReadonlySet<string>,
    isListed: boolean,
    nowMs: number,
  ): Promise<boolean> {
    const { index, log, rollups } = this.options;
    const times = await index.times(gateway, stream, 'corrected');
    if (!times) return false;
    const endUs = Math.floor(times.lastTimeUs / minuteUs) * minuteUs;
    const key = `${gateway}/${stream}/${isListed}`;
    const firstUs = isListed ? times.firstTimeUs : Math.max(times.firstTimeUs, endUs - hourUs);
    const fromUs = Math.floor(Math.max(firstUs, this.doneUs.get(key) ?? -Infinity) / minuteUs) * minuteUs;
    if (fromUs >= endUs) return false;
    const toUs = Math.min(endUs, Math.floor(fromUs / hourUs) * hourUs + hourUs);
    const signals = await streamSignals(this.options, { gateway, stream });
    const columns = [...Map.groupBy(signals, ({ name }) => name)]
      .filter(([name]) => names.has(name))
      .map(([, column]) => column);
    if (columns.length > 0) {
      const planned = {
        gateway,
        stream,
        ranges: [{ fromUs, toUs }],
        columns: [...columns.keys()],
        signals: columns,
        decoder: new ColumnDecoder(columns),
      };
      const stepUs = rollupStep(hourUs, planned);
      const check = (): void => this.stopping.signal.throwIfAborted();
      if (stepUs !== undefined) {
        for await (const _ of rolledSeries({ index, log, rollups, check, nowMs }, planned, stepUs));
      }
    }
    this.doneUs.set(key, toUs);
    return toUs < endUs;
  }
}
