import type { RangeSet } from '@fleetlog/shared/util';
import type { RestoredFrom } from '../log/restored.js';
import type { GatewayStatus } from '@fleetlog/shared/topics';

/** What ingest knows of one stream's sequences: the base of deduplication, acknowledgement and `fleetlog gaps`. */
export interface HeldSequences {
  gateway: string;
  epoch: string;
  stream: string;
  /** Sequences that the log holds durably, gap records included. */
  held: RangeSet;
  /** Those of them that retention has let go since; undefined where none. */
  trimmed?: RangeSet | undefined;
  /** How far the backups were that the log was restored from, where it was. */
  restored?: RestoredFrom[] | undefined;
  /** Sequence behind the last that the gateway ever announced for this epoch in a status, where it did. */
  announcedNext?: number | undefined;
}

export interface GatewayPresence {
  gateway: string;
  connected: boolean;
  /** When the last batch or status came, µs. */
  lastSeenUs: number;
  /** As last published; survives a restart of the cloud. */
  status: GatewayStatus | undefined;
}

/** Counters of ingest since its start. */
export interface IngestCounters {
  batches: number;
  records: number;
  bytes: number;
  duplicates: number;
  /** Messages neither taken nor refused, for lack of room; the gateways send them again. */
  putOff: number;
  /** Refused messages by error code. */
  refused: Record<string, number>;
}

/** Read side of ingest, for the API. */
export interface Fleet {
  held(filter?: { gateway?: string; stream?: string }): AsyncIterable<HeldSequences>;
  presence(): GatewayPresence[];
  readonly counters: Readonly<IngestCounters>;
}
