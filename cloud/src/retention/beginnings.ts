import { RangeSet } from '@fleetlog/shared/util';
import type { Arrival, Index } from '../index/index.js';
import type { Log } from '../log/log.js';
import { oldestFirst } from './oldest-first.js';
import type { RetentionRule } from './rules.js';
import { TrimTotal, type TrimCount } from './trim-total.js';
import { trimmedNote, trimmedSequences } from './trimmed.js';

export interface BeginningsOptions {
  log: Log;
  index: Index;
  ruleOf: (gateway: string, stream: string) => RetentionRule | undefined;
  isHeld: (arrival: Arrival) => boolean;
}

type StreamName = Pick<Arrival, 'gateway' | 'stream'>;

/** Followed by the index in one write. */
const sliceBatchesMax = 2048;

/**
 * Retention of a log that forgets from the beginning of a partition only (Kafka): a partition begins at the first batch
 * that some rule, or a hold, keeps of any of its streams. The index follows the log's beginnings, whoever moved them.
 */
export class Beginnings {
  /** By partition: where it began when the index followed last. */
  private readonly followed = new Map<number, number>();

  private constructor(
    private readonly options: BeginningsOptions,
    private readonly sum: TrimTotal,
  ) {}

  static async open(options: BeginningsOptions): Promise<Beginnings> {
    return new Beginnings(options, await TrimTotal.load(options.log));
  }

  /** Trimmed since the log was made. */
  get total(): Readonly<TrimCount> {
    return this.sum.count;
  }

  /** Applies the rules once, and follows. Errors: those of the log and the index. */
  async pass(nowUs: number, signal: AbortSignal): Promise<void> {
    const { log, index } = this.options;
    const ends = log.ends();
    // Nobody knows of batches that aren't indexed yet: none of them goes.
    await index.caughtUp(signal);
    const keepFrom = ends.map(({ next }) => next);
    for (const [stream, beforeUs] of await this.terms(nowUs)) await this.keep(stream, beforeUs, keepFrom);
    for (const { partition, first } of ends) {
      signal.throwIfAborted();
      if (keepFrom[partition] > first) await this.trim(partition, keepFrom[partition]);
    }
    await this.follow();
  }

  /** Of each stream, what was received before goes by its rule, µs. */
  private async terms(nowUs: number): Promise<Map<StreamName, number>> {
    const terms = new Map<StreamName, number>();
    const bySize = new Map<RetentionRule, StreamName[]>();
    for await (const { gateway, stream } of this.options.index.streams()) {
      const rule = this.options.ruleOf(gateway, stream);
      const name = { gateway, stream };
      terms.set(name, rule?.maxAgeUs === undefined ? -Infinity : nowUs - rule.maxAgeUs);
      if (rule?.maxBytes === undefined) continue;
      bySize.set(rule, [...(bySize.get(rule) ?? []), name]);
    }
    for (const [{ maxBytes = Infinity }, streams] of bySize) {
      const beforeUs = await this.sizeTerm(streams, maxBytes);
      for (const name of streams) terms.set(name, Math.max(beforeUs, terms.get(name)!));
    }
    return terms;
  }

  private async sizeTerm(streams: readonly StreamName[], maxBytes: number): Promise<number> {
    const { index } = this.options;
    let bytes = 0;
    for (const { gateway, stream } of streams) bytes += (await index.stream(gateway, stream))?.bytes ?? 0;
    if (bytes <= maxBytes) return -Infinity;
    for await (const arrival of oldestFirst(index, streams)) {
      if (bytes <= maxBytes) return arrival.receiveTimeUs;
      if (!arrival.isGap) bytes -= arrival.bytes;
    }
    return Infinity;
  }

  /** A partition can't begin behind the first of its batches that stays. */
  private async keep({ gateway, stream }: StreamName, beforeUs: number, keepFrom: number[]): Promise<void> {
    for await (const arrival of this.options.index.arrivals(gateway, stream)) {
      const { partition, offset, receiveTimeUs } = arrival;
      if (offset >= keepFrom[partition]) return;
      if (receiveTimeUs < beforeUs && !this.options.isHeld(arrival)) continue;
      keepFrom[partition] = offset;
      return;
    }
  }

  /** What was trimmed is noted first: a sequence that is gone and said to be held would count as lost. */
  private async trim(partition: number, offset: number): Promise<void> {
    const { log } = this.options;
    const gone = new Map<string, RangeSet>();
    const count = { batches: 0, bytes: 0 };
    for await (const arrival of this.before(partition, offset)) {
      const { gateway, epoch, stream, first, last, isGap, bytes } = arrival;
      const life = `${gateway}/${epoch}/${stream}`;
      const sequences = gone.get(life) ?? (await trimmedSequences(log, life));
      gone.set(life, sequences);
      sequences.add(first, last);
      count.batches += isGap ? 0 : 1;
      count.bytes += bytes;
    }
    const notes = Array.from(gone, ([life, sequences]) => trimmedNote(life, sequences));
    await log.append([], [...notes, this.sum.noteWith(count)]);
    this.sum.add(count);
    await log.trim(partition, offset);
  }

  /** Takes out of the index what the log hasn't any more. */
  async follow(): Promise<void> {
    const { log, index } = this.options;
    for (const { partition, first } of log.ends()) {
      if (this.followed.get(partition) === first) continue;
      const gone = new Map<string, { gateway: string; stream: string; offsets: number[] }>();
      let count = 0;
      const flush = async (): Promise<void> => {
        if (count > 0) await index.trim(partition, { number: 0, streams: [...gone.values()] });
        gone.clear();
        count = 0;
      };
      for await (const { gateway, stream, offset } of this.before(partition, first)) {
        const own = gone.get(`${gateway}/${stream}`) ?? { gateway, stream, offsets: [] };
        gone.set(`${gateway}/${stream}`, own);
        own.offsets.push(offset);
        if (++count >= sliceBatchesMax) await flush();
      }
      await flush();
      this.followed.set(partition, first);
    }
  }

  /** Batches of all streams that are before the offset. */
  private async *before(partition: number, end: number): AsyncGenerator<Arrival> {
    const { log, index } = this.options;
    for await (const { gateway, stream } of index.streams()) {
      if (log.partitionOf(gateway) !== partition) continue;
      for await (const arrival of index.arrivals(gateway, stream)) {
        if (arrival.offset >= end) break;
        yield arrival;
      }
    }
  }
}
