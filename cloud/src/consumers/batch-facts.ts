import type { BatchHeader } from '@fleetlog/shared/batch';
import { isoMicros } from '../export/iso-time.js';

/** What a batch's header says, as JSON; `gapTo` is there in a gap record alone, which stands for lost sequences. */
export interface BatchFacts {
  gateway: string;
  stream: string;
  kind: string;
  epoch: string;
  sequence: number;
  gapTo?: number;
  firstTime: string;
  lastTime: string;
  records: number;
  /** Records that the gateway took out for want of space. */
  thinnedRecords?: number;
}

export const batchFacts = (header: BatchHeader): BatchFacts => ({
  gateway: header.gateway,
  stream: header.stream,
  kind: header.kind,
  epoch: header.epoch,
  sequence: header.sequence,
  ...(header.codec === 'gap-1' && { gapTo: header.lastSequence }),
  firstTime: isoMicros(header.firstTimeUs),
  lastTime: isoMicros(header.lastTimeUs),
  records: header.recordCount,
  ...(header.thinned && { thinnedRecords: header.thinned.records }),
});
