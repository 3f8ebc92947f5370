import type { Signal } from '@fleetlog/shared/util';

/** A batch in the log. */
export interface LogEntry {
  partition: number;
  offset: number;
  /** When the cloud appended it, µs since the Unix epoch. */
  receiveTimeUs: number;
  /** The batch as the gateway sent it (format v1). */
  bytes: Uint8Array;
}

export interface LogAppend {
  partition: number;
  receiveTimeUs: number;
  bytes: Uint8Array;
  /** Whose it is, where that is kept beside the batch for readers that don't know its format. */
  gateway?: string;
  stream?: string;
}

/** Facts that change in the same write as an append, so that neither is there without the other. */
export interface LogNote {
  key: string;
  value: Uint8Array;
}

/** Both inclusive. */
export type OffsetRange = readonly [first: number, last: number];

export interface PartitionEnds {
  partition: number;
  /** First offset that is kept. */
  first: number;
  /** Offset that the next append will get. */
  next: number;
}

/**
 * The log: append, read from offset, find offset by time, trim, follow the tail. Offsets of a partition ascend and are
 * never given twice, also after a trim or a crash.
 */
export interface Log extends AsyncDisposable {
  /** Whether each offset between the ends has an entry, so that one that isn't there is damage. */
  readonly isDense: boolean;
  readonly partitionCount: number;
  /** Set whenever entries have become durable, in whichever partition. */
  readonly grew: Signal;
  /** A gateway's batches are all in one partition. */
  partitionOf(gateway: string): number;
  /**
   * All or nothing; durable when it resolves. Returns the offsets in the order given. Where it rejects nothing was
   * changed, and it may be tried again (FLEETLOG_STORE_FULL, FLEETLOG_STORE); a barrier that fails is repeated in here,
   * and only closing the log ends that (FLEETLOG_SYNC): what was written may then be there after the next start,
   * entries and notes together.
   */
  append(entries: readonly LogAppend[], notes?: readonly LogNote[]): Promise<number[]>;
  /**
   * Entries from `offset` on, to the end as it is now or `limit`. What the disk has damaged is left out, and told to
   * the logger: the others are worth more than an answer that is all or nothing.
   */
  read(partition: number, offset: number, options?: { limit?: number }): AsyncIterable<LogEntry>;
  /** Single entries by offset, in the order asked for; undefined where trimmed. Rejects where one is damaged. */
  get(partition: number, offsets: readonly number[]): Promise<(LogEntry | undefined)[]>;
  /** First offset whose receive time is at or after `timeUs`; `next` where there is none. */
  offsetAt(partition: number, timeUs: number): Promise<number>;
  /** Forgets what is before `offset`. */
  trim(partition: number, offset: number): Promise<void>;
  /** How it forgets single entries; undefined where it can't. */
  readonly removal: LogRemoval | undefined;
  /** Entries from `offset` on, and then each new one as it becomes durable, until the signal aborts. */
  follow(partition: number, offset: number, signal: AbortSignal): AsyncIterable<LogEntry>;
  ends(): PartitionEnds[];
  /** Makes `folder`, on the log's disk, the log as it is at one moment; undefined where its disk isn't ours. */
  readonly checkpoint: ((folder: string) => Promise<void>) | undefined;
  notes(prefix: string): AsyncIterable<LogNote>;
  note(key: string): Promise<Uint8Array | undefined>;
  diskBytes(): Promise<number>;
}

/** What ingest needs of a log. */
export type IngestLog = Pick<Log, 'append' | 'note' | 'notes' | 'partitionOf'>;

/** A log that several processes write to, each to the partitions that are its own at the time. */
export interface SharedLog extends Log {
  /**
   * Takes a partition over from whoever had it, who can't write to it from then on, and knows all that is in there when
   * it resolves. `onTakenOver`: somebody else has it now. Errors: FLEETLOG_UNREACHABLE, FLEETLOG_LOCKED.
   */
  take(partition: number, onTakenOver: () => void): Promise<IngestLog>;
  /** Meets the other processes, and is told which partitions this one should have; what isn't named it should give up. */
  join(onAssigned: (partitions: readonly number[]) => void): AsyncDisposable;
  /** When the last batch of a gateway that this process has read came, whoever took it; µs. */
  lastReceivedUs(gateway: string): number | undefined;
}

/** What a log can do that forgets more than its beginning. */
export interface LogRemoval {
  /**
   * Forgets offsets, anywhere in the partition: all of them, with the notes, or none. Nobody reads them from then on; it
   * is durable when it resolves. Offsets that aren't there (any more, or yet) are left out. Errors: as `append`.
   */
  remove(partition: number, ranges: Iterable<OffsetRange>, notes?: readonly LogNote[]): Promise<void>;
  /** What was removed behind the first offset that is kept and touches `[first, last]`, ascending. */
  removed(partition: number, first: number, last: number): AsyncIterable<OffsetRange>;
  /**
   * Gives the disk back what trimmed and removed entries take. `liveBytes`: of the batches that are kept, about: where
   * the disk holds much more, files of which only a part is forgotten are written anew.
   */
  reclaim(liveBytes: number): Promise<void>;
}
