import { FleetlogError } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';
import type { Arrival, Index } from '../index/index.js';
import type { Log } from '../log/log.js';
import { Holds } from './holds.js';
import { oldestFirst } from './oldest-first.js';
import type { RetentionConfig, RetentionRule } from './rules.js';
import { Beginnings } from './beginnings.js';
import type { TrimCount } from './trim-total.js';
import { Trimmer } from './trimmer.js';

export interface RetentionOptions extends RetentionConfig {
  log: Log;
  index: Index;
  clock: Clock;
  logger: Logger;
}

type StreamName = Pick<Arrival, 'gateway' | 'stream'>;

/** In which gateways tell of themselves; what a record's time is corrected by is in there. */
const eventsStream = 'events';
/** Trimmed in one write. */
const sliceBatchesMax = 2048;
/** The disk is given back when so much of it was trimmed: compaction costs writing. */
const reclaimBytesMin = 1024 * 1024;
const reclaimShare = 0.05;

/**
 * Lets go what the rules don't keep, now and then: by the time of receipt, so that a backlog isn't deleted on arrival.
 * What a legal hold touches stays, whatever the rules say, and doesn't count to their sizes. A gateway's events stay as
 * long as anything that it sent before them, since they tell how right its clock was.
 */
export class Retention implements AsyncDisposable {
  private readonly slices = new Map<number, Arrival[]>();
  private readonly closing = new AbortController();
  private running: Promise<void> = Promise.resolve();
  /** Changes of holds and trims, one after the other. */
  private turn: Promise<unknown> = Promise.resolve();
  private pauses = 0;
  private unreclaimedBytes = 0;

  private constructor(
    private readonly options: RetentionOptions,
    private readonly trimmer: Trimmer | undefined,
    private readonly beginnings: Beginnings | undefined,
    private readonly holds: Holds,
  ) {}

  static async open(options: RetentionOptions): Promise<Retention> {
    const { log, index, clock, rules } = options;
    const holds = await Holds.load(log, clock);
    if (log.removal)
      return new Retention(options, await Trimmer.open(log, log.removal, index), undefined, holds);
    const beginnings = await Beginnings.open({
      log,
      index,
      ruleOf: (gateway, stream) => rules.find((rule) => rule.matches(gateway, stream)),
      isHeld: (arrival) => holds.keeps(arrival),
    });
    return new Retention(options, undefined, beginnings, holds);
  }

  /** Begins to apply the rules, and to follow what others trim from a log of theirs, until it is disposed of. */
  start(): void {
    if (this.options.rules.length > 0 || this.beginnings) this.running = this.run();
  }

  /** Trimmed since the log was made. */
  get trimmed(): Readonly<TrimCount> {
    return (this.trimmer ?? this.beginnings)?.total ?? nothing;
  }

  ruleOf(gateway: string, stream: string): RetentionRule | undefined {
    return this.options.rules.find((rule) => rule.matches(gateway, stream));
  }

  /** The holds for as long as `work` takes; meanwhile nothing is trimmed. */
  withHolds<T>(work: (holds: Holds) => T | Promise<T>): Promise<T> {
    return this.inTurn(async () => {
      if (this.beginnings) await this.holds.reload();
      return work(this.holds);
    });
  }

  /** Until it is disposed of nothing is trimmed: for whoever reads all of the log and counts. */
  async pause(): Promise<Disposable> {
    this.pauses++;
    let isOver = false;
    const end = (): void => {
      if (!isOver) this.pauses--;
      isOver = true;
    };
    await this.inTurn(() => undefined); // what is being trimmed now
    return { [Symbol.dispose]: end };
  }

  /** Applies the rules once. Errors: those of the log and the index. */
  async pass(): Promise<TrimCount> {
    const before = { ...this.trimmed };
    const nowUs = this.options.clock.nowUs();
    const { beginnings } = this;
    if (beginnings) {
      await this.inTurn(async () => {
        if (this.pauses > 0) return;
        await this.holds.reload();
        if (this.options.rules.length > 0) await beginnings.pass(nowUs, this.closing.signal);
        else await beginnings.follow();
      });
    } else await this.byRules(nowUs);
    const { batches, bytes } = this.trimmed;
    const trimmed = { batches: batches - before.batches, bytes: bytes - before.bytes };
    this.unreclaimedBytes += trimmed.bytes;
    if (trimmed.batches > 0) this.options.logger.info(trimmed, 'retention has trimmed the log');
    await this.reclaim();
    return trimmed;
  }

  private async byRules(nowUs: number): Promise<void> {
    const byRule = new Map<RetentionRule, StreamName[]>();
    const gateways = new Map<string, RetentionRule>();
    for await (const { gateway, stream } of this.options.index.streams()) {
      const rule = this.ruleOf(gateway, stream);
      if (!rule) continue;
      if (stream === eventsStream) gateways.set(gateway, rule);
      else {
        const streams = byRule.get(rule) ?? [];
        streams.push({ gateway, stream });
        byRule.set(rule, streams);
      }
    }
    for (const [rule, streams] of byRule) {
      if (rule.maxAgeUs !== undefined) await this.byAge(streams, nowUs - rule.maxAgeUs);
      if (rule.maxBytes !== undefined) await this.bySize(streams, rule.maxBytes);
    }
    for (const [gateway, rule] of gateways) await this.events(gateway, rule, nowUs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closing.abort(new FleetlogError('FLEETLOG_INTERRUPTED', 'The cloud is stopping.'));
    await this.running;
    await this.turn;
  }

  private async run(): Promise<void> {
    const { clock, everyMs, logger } = this.options;
    const { signal } = this.closing;
    while (!signal.aborted) {
      try {
        if (this.pauses === 0) await this.pass();
      } catch (error) {
        if (signal.aborted) return;
        logger.error({ error }, 'retention failed; the next pass goes on');
      }
      await clock.sleep(everyMs, signal).catch(() => undefined); // the loop looks at the signal
    }
  }

  private async byAge(streams: readonly StreamName[], beforeUs: number): Promise<void> {
    for (const { gateway, stream } of streams) {
      for await (const arrival of this.options.index.arrivals(gateway, stream)) {
        if (arrival.receiveTimeUs >= beforeUs) break;
        await this.letGo(arrival);
      }
    }
    await this.flush();
  }

  private async bySize(streams: readonly StreamName[], maxBytes: number): Promise<void> {
    const { index } = this.options;
    let bytes = 0;
    for (const { gateway, stream } of streams) bytes += (await index.stream(gateway, stream))?.bytes ?? 0;
    if (bytes <= maxBytes) return;
    for await (const arrival of oldestFirst(index, streams)) {
      if (bytes <= maxBytes) break;
      if (!arrival.isGap) bytes -= arrival.bytes;
      await this.letGo(arrival);
    }
    await this.flush();
  }

  private async events(gateway: string, { maxAgeUs, maxBytes }: RetentionRule, nowUs: number): Promise<void> {
    if (maxAgeUs === undefined && maxBytes === undefined) return;
    const { index } = this.options;
    const oldest = await first(index.arrivals(gateway, eventsStream));
    const beforeUs = maxAgeUs === undefined ? Infinity : nowUs - maxAgeUs;
    if (!oldest || oldest.receiveTimeUs >= beforeUs) return;
    let neededFrom = Infinity;
    for await (const { stream } of index.streams({ gateway })) {
      if (stream === eventsStream) continue;
      neededFrom = Math.min(neededFrom, (await first(index.arrivals(gateway, stream)))?.offset ?? Infinity);
    }
    if (neededFrom === Infinity && maxAgeUs === undefined) return; // they are all there is, and say no age
    for await (const arrival of index.arrivals(gateway, eventsStream)) {
      if (arrival.offset >= neededFrom || arrival.receiveTimeUs >= beforeUs) break;
      await this.letGo(arrival);
    }
    await this.flush();
  }

  private async letGo(arrival: Arrival): Promise<void> {
    if (this.holds.keeps(arrival)) return;
    const slice = this.slices.get(arrival.partition) ?? [];
    this.slices.set(arrival.partition, slice);
    if (slice.push(arrival) >= sliceBatchesMax) await this.trim(arrival.partition);
  }

  private async flush(): Promise<void> {
    for (const partition of this.slices.keys()) await this.trim(partition);
  }

  private async trim(partition: number): Promise<void> {
    const slice = this.slices.get(partition) ?? [];
    this.slices.delete(partition);
    await this.inTurn(async () => {
      if (this.pauses > 0) return;
      this.closing.signal.throwIfAborted();
      // A hold may have come since it was chosen.
      const gone = slice.filter((arrival) => !this.holds.keeps(arrival));
      if (gone.length > 0) await this.trimmer?.trim(partition, gone);
    });
  }

  private async reclaim(): Promise<void> {
    const { log, index } = this.options;
    if (!log.removal) return;
    let liveBytes = 0;
    for await (const { bytes } of index.streams()) liveBytes += bytes;
    if (this.unreclaimedBytes < Math.max(reclaimBytesMin, reclaimShare * liveBytes)) return;
    await log.removal.reclaim(liveBytes);
    this.unreclaimedBytes = 0;
  }

  private inTurn<T>(work: () => T | Promise<T>): Promise<T> {
    const result = this.turn.then(work);
    this.turn = result.catch(() => undefined); // whoever asked for it gets the error
    return result;
  }
}

const nothing: TrimCount = { batches: 0, bytes: 0 };

async function first<T>(items: AsyncIterable<T>): Promise<T | undefined> {
  for await (const item of items) return item;
  return undefined;
}
