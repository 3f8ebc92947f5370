import { RangeSet } from '@fleetlog/shared/util';
import { loadTrim, trimNote, type Arrival, type Index, type IndexTrim } from '../index/index.js';
import type { Log, LogNote, LogRemoval } from '../log/log.js';
import { TrimTotal, type TrimCount } from './trim-total.js';
import { trimmedNote, trimmedSequences } from './trimmed.js';

/**
 * Takes batches out of the log and the index. The log forgets them in one write with what says so (which sequences
 * were trimmed, and what the index has to follow); the index follows before anything else is trimmed.
 */
export class Trimmer {
  /** By partition: the last trim that the index hasn't followed for sure. */
  private readonly unfollowed = new Map<number, IndexTrim>();
  private readonly numbers = new Map<number, number>();

  private constructor(
    private readonly log: Log,
    private readonly removal: LogRemoval,
    private readonly index: Index,
    private readonly sum: TrimTotal,
  ) {}

  /** Of all time. */
  get total(): Readonly<TrimCount> {
    return this.sum.count;
  }

  static async open(log: Log, removal: LogRemoval, index: Index): Promise<Trimmer> {
    return new Trimmer(log, removal, index, await TrimTotal.load(log));
  }

  /** All of one partition. Durable in both when it resolves. Errors: those of the log and the index. */
  async trim(partition: number, arrivals: readonly Arrival[]): Promise<void> {
    await this.followed(partition);
    const number = (this.numbers.get(partition) ?? (await loadTrim(this.log, partition))?.number ?? 0) + 1;
    const streams = [...Map.groupBy(arrivals, ({ gateway, stream }) => `${gateway}/${stream}`).values()];
    const trim: IndexTrim = {
      number,
      streams: streams.map((own) => {
        const [{ gateway, stream }] = own;
        return { gateway, stream, offsets: own.map(({ offset }) => offset) };
      }),
    };
    const count = { batches: 0, bytes: 0 };
    for (const { bytes, isGap } of arrivals) {
      count.batches += isGap ? 0 : 1;
      count.bytes += bytes;
    }
    const notes = [trimNote(partition, trim), ...(await this.sequences(arrivals)), this.sum.noteWith(count)];
    const offsets = new RangeSet(arrivals.map(({ offset }) => [offset, offset] as const));
    await this.removal.remove(partition, offsets, notes);
    this.sum.add(count);
    this.numbers.set(partition, number);
    this.unfollowed.set(partition, trim);
    await this.followed(partition);
  }

  private async followed(partition: number): Promise<void> {
    const trim = this.unfollowed.get(partition);
    if (!trim) return;
    await this.index.trim(partition, trim);
    this.unfollowed.delete(partition);
  }

  private async sequences(arrivals: readonly Arrival[]): Promise<LogNote[]> {
    const notes: LogNote[] = [];
    const lives = Map.groupBy(arrivals, ({ gateway, epoch, stream }) => `${gateway}/${epoch}/${stream}`);
    for (const [life, own] of lives) {
      const gone = await trimmedSequences(this.log, life);
      for (const { first, last } of own) gone.add(first, last);
      notes.push(trimmedNote(life, gone));
    }
    return notes;
  }
}
