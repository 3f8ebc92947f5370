import type { BatchClock, BatchHeader, CodecName, Origin, StreamKind } from '@fleetlog/shared/batch';

/** What many batches of a stream have in common; the index keeps it once and gives it a number. */
export interface BatchContext {
  epoch: string;
  boot: string;
  clockState: BatchClock['state'];
  /** Of the batch that came first; others keep their distance to it. */
  wallOffsetUs: number;
  origin: Origin;
  kind: StreamKind;
  codec: CodecName;
  partition: number;
}

/** A gateway that invents new ones all the time has none any more beyond this: its batches carry their own. */
export const contextsMax = 1024;

export const contextOf = (header: BatchHeader, partition: number): BatchContext => ({
  epoch: header.epoch,
  boot: header.boot,
  clockState: header.clock.state,
  wallOffsetUs: header.clock.wallOffsetUs,
  origin: header.origin,
  kind: header.kind,
  codec: header.codec,
  partition,
});

/** Batches whose contexts have the same name share one. */
export const contextName = ({
  epoch,
  boot,
  clockState,
  origin,
  kind,
  codec,
  partition,
}: BatchContext): string => [epoch, boot, clockState, origin, kind, codec, partition].join('/');
