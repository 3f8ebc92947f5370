import type { RangeSet } from '@fleetlog/shared/util';
import type { StreamKind } from '@fleetlog/shared/batch';
import type { RescueReport } from './integrity/rescue.js';
import type { BatchSink } from '../sources/source.js';
import type { SpaceState } from './space/keeper.js';
import type { WriteState } from './write-budget.js';

/** A batch in the buffer, numbered, as it goes over the wire; or a gap record, for `sequence … lastSequence`. */
export interface BufferedBatch {
  stream: string;
  sequence: number;
  lastSequence: number;
  bytes: Uint8Array;
}

/** What the buffer holds of a stream. */
export interface BufferedStream {
  stream: string;
  kind: StreamKind;
  /** First sequence that the cloud hasn't acknowledged. */
  first: number;
  /** Sequence after the last durable one: what may be sent is `first … durableNext - 1`. */
  durableNext: number;
  /** Sequence that the next batch will get. */
  next: number;
  /** Batches and gap records held, durable or not yet; those that were acknowledged out of order are gone. */
  batches: number;
  /** Records in the batches held. */
  records: number;
  /** Bytes of the batches held. */
  bytes: number;
  /** Records and bytes of all batches that were put since the epoch began. */
  recordsPut: number;
  bytesPut: number;
  /** Batches that the cloud refused for good; kept aside, not sent again. */
  refused: number;
  /** What was given up since the epoch began, each with a gap record: for want of space, or too old. */
  givenUp: GivenUp;
  /** What was taken out of batches that stayed, since the epoch began; the headers of these say so. */
  thinned: GivenUp;
}

/** Batches of a stream that were given up at one time. */
export interface GivenUp {
  batches: number;
  records: number;
  bytes: number;
}

/** The gateway's durable queue of batches, from source to acknowledgement. */
export interface GatewayBuffer extends BatchSink, AsyncDisposable {
  /** One life of this folder. */
  readonly epoch: string;
  streams(): BufferedStream[];
  /** Earlier lives of which something is on its way yet: being rescued, or rescued and not acknowledged. */
  readonly earlierEpochs: string[];
  /** What it writes to disk. */
  readonly writeState: WriteState;
  /** How much of its space it takes; undefined where it has no limits. */
  readonly spaceState: SpaceState | undefined;
  /** Where the stream's source goes on behind the last batch that was put; undefined at its first start. */
  position(stream: string): Promise<Uint8Array | undefined>;
  /** Durable batches from `sequence` on, ascending, at most `limit`; skips what is acknowledged. */
  read(stream: string, sequence: number, limit: number): Promise<BufferedBatch[]>;
  /** The cloud holds these durably: they are forgotten here. */
  acknowledge(stream: string, held: RangeSet): Promise<void>;
  /** The cloud will never take this one: moved aside with the reason. */
  refuse(stream: string, sequence: number, reason: string): Promise<void>;
  /** Resolves when everything that damaged folders of earlier lives held is in here; with what that was. */
  rescued(): Promise<RescueReport | undefined>;
  /** Resolves at the next time that more became durable. */
  moreDurable(signal: AbortSignal): Promise<void>;
  /** Everything that was put is durable, and everything acknowledged is forgotten on disk, when it resolves. */
  flush(): Promise<void>;
}
