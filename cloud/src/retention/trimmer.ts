import { RangeSet } from '@fleetlog/shared/util';
import { loadTrim, trimNote, type Arrival, type Index, type IndexTrim } from '../index/index.js';
import type { Log, LogNote, LogRemoval } from '../log/log.js';
import { trimmedNote, trimmedSequences } from './trimmed.js';

export interface TrimCount {
  batches: number;
  bytes: number;
}

/*
 * note "trims" = JSON of the `TrimCount` of all time
 */
const totalKey = 'trims';

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
    /** Of all time. */
    readonly total: TrimCount,
  ) {}

  static async open(log: Log, removal: LogRemoval, index: Index): Promise<Trimmer> {
    const stored = await log.note(totalKey);
    const total = stored
      ? (JSON.parse(Buffer.from(stored).toString()) as TrimCount)
      : { batches: 0, bytes: 0 };
    return new Trimmer(log, removal, index, total);
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
    const total = { ...this.total };
    for (const { bytes, isGap } of arrivals) {
      total.batches += isGap ? 0 : 1;
      total.bytes += bytes;
    }
    const notes = [
      trimNote(partition, trim),
      ...(await this.sequences(arrivals)),
      { key: totalKey, value: Buffer.from(JSON.stringify(total)) },
    ];
    const offsets = new RangeSet(arrivals.map(({ offset }) => [offset, offset] as const));
    await this.removal.remove(partition, offsets, notes);
    Object.assign(this.total, total);
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
