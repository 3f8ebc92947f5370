import type {
  BatchClock,
  BatchHeader,
  ClockState,
  CodecName,
  GapCause,
  Origin,
  StreamKind,
} from '@fleetlog/shared/batch';
import type { FrameChoice } from '@fleetlog/shared/can';
import type { CorrectedBoot } from '../time/boots.js';
import type { TimeCorrection, TimesName } from '../time/correction.js';

/** What the index knows of one batch: enough to decide whether a reader has to open it. Times are µs. */
export interface BatchFacts {
  firstTimeUs: number;
  lastTimeUs: number;
  epoch: string;
  /** Rank of the epoch among those of its stream, by the order in which the log saw them, from 0. */
  epochOrder: number;
  sequence: number;
  partition: number;
  offset: number;
  receiveTimeUs: number;
  boot: string;
  clock: BatchClock;
  origin: Origin;
  kind: StreamKind;
  codec: CodecName;
  records: number;
  /** As stored, and the payload once decompressed. */
  bytes: number;
  rawBytes: number;
  /** How its records' times become those that were asked for; `firstTimeUs` and `lastTimeUs` are corrected already. */
  correction?: TimeCorrection;
}

/** Bounds of the event times of a stream. */
export interface StreamTimes {
  firstTimeUs: number;
  lastTimeUs: number;
  /** The worst of the boots that have stamped them; undefined where no clock of the gateway has. */
  clock: ClockState | undefined;
}

/** All batches of a stream, summed up. */
export interface StreamSummary {
  gateway: string;
  stream: string;
  /** Of the batch that came last. */
  kind: StreamKind;
  /** Of all batches; undefined in the index of an older version. */
  origin?: Origin | 'mixed';
  /** Original event times; undefined where nothing but gap records came yet. */
  firstTimeUs: number | undefined;
  lastTimeUs: number | undefined;
  batches: number;
  records: number;
  bytes: number;
  lastReceiveTimeUs: number;
  epochs: number;
  segments: number;
  contexts: number;
  idSets: number;
  /** Gap records. */
  gaps: number;
  /** Batches that were here once. */
  trimmed: number;
}

/**
 * Sequences that a gateway gave up, as its gap record tells; or records of one sequence that the log holds, as the
 * header of the thinned batch tells.
 */
export interface GapRecord {
  gateway: string;
  stream: string;
  epoch: string;
  first: number;
  last: number;
  /** `thinned`: the log holds the batch, without these records. */
  cause: GapCause | 'thinned';
  detail: string;
  /** Records given up; -1 where nobody knows. */
  records: number;
  firstTimeUs: number;
  lastTimeUs: number;
}

/** A batch or gap record as it came into the log. */
export interface Arrival {
  gateway: string;
  stream: string;
  partition: number;
  offset: number;
  receiveTimeUs: number;
  epoch: string;
  /** Sequences, both inclusive. */
  first: number;
  last: number;
  isGap: boolean;
  bytes: number;
  records: number;
  /** As they were stamped, and as they are corrected now. */
  originalUs: readonly [first: number, last: number];
  correctedUs: readonly [first: number, last: number];
}

/** What was trimmed from the log, of streams in one partition. */
export interface IndexTrim {
  /** Counts up from 1 in each partition, so that the index knows which it has followed. */
  number: number;
  streams: { gateway: string; stream: string; offsets: number[] }[];
}

export interface StreamFilter {
  gateway?: string | undefined;
  stream?: string | undefined;
}

export interface BatchRange {
  gateway: string;
  stream: string;
  /** Inclusive. */
  fromUs: number;
  /** Exclusive. */
  toUs: number;
  /** In which times the range is, and the answer: as they were stamped where it isn't said. */
  times?: TimesName;
  /** Of CAN, what the reader needs: batches without such identifiers are left out, where the index knows that. */
  wants?: FrameChoice | undefined;
}

/**
 * Where to find what in the log. A consumer of the log with its own checkpoint: it lags a little, may be deleted, and
 * is built again from the log.
 */
export interface Index extends AsyncDisposable {
  /** Another one where the index was built anew: what was kept with its revisions is stale then. */
  readonly id: string;
  streams(filter?: StreamFilter): AsyncIterable<StreamSummary>;
  stream(gateway: string, stream: string): Promise<StreamSummary | undefined>;
  /** Undefined where nothing but gap records came yet. */
  times(gateway: string, stream: string, times: TimesName): Promise<StreamTimes | undefined>;
  /** Boots of a gateway in their order, with what is known of their clocks. */
  boots(gateway: string): Promise<CorrectedBoot[]>;
  /** Undefined where a batch's times are its source's own, or nothing is known of its boot yet. */
  correction(header: BatchHeader): Promise<TimeCorrection | undefined>;
  gaps(filter?: StreamFilter): AsyncIterable<GapRecord>;
  /**
   * Batches that hold, or may hold, records of the range, by first event time; of equal times by epoch and sequence.
   * Finite also while the stream grows, if `toUs` is.
   */
  batches(range: BatchRange): AsyncIterable<BatchFacts>;
  /**
   * For each minute of corrected time in the range, whose bounds are minutes: 0 where the stream has no batch in it, else
   * a number that changes whenever its records may. What was computed of a minute holds while its number is the same.
   */
  revisions(range: Omit<BatchRange, 'times' | 'wants'>): Promise<Float64Array>;
  /** Of one stream, in the order in which the log took them, from this offset on. Gap records are among them. */
  arrivals(gateway: string, stream: string, offset?: number): AsyncIterable<Arrival>;
  /** Follows what was trimmed from a partition of the log; it is durable when it resolves. */
  trim(partition: number, trim: IndexTrim): Promise<void>;
  /** Batches in the log that aren't indexed yet. */
  lag(): number;
  /** Entries of the log that weren't readable and are left out. */
  skipped(): number;
  /** Resolves when all that was in the log at the call is indexed; rejects with the signal's reason. */
  caughtUp(signal: AbortSignal): Promise<void>;
  diskBytes(): Promise<number>;
  close(): Promise<void>;
}
