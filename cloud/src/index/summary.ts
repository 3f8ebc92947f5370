import type { BatchHeader } from '@fleetlog/shared/batch';
import type { LogEntry } from '../log/log.js';
import type { StreamSummary } from './types.js';

export const emptySummary = (gateway: string, stream: string): StreamSummary => ({
  gateway,
  stream,
  kind: 'events',
  firstTimeUs: undefined,
  lastTimeUs: undefined,
  batches: 0,
  records: 0,
  bytes: 0,
  lastReceiveTimeUs: 0,
  epochs: 0,
  segments: 0,
  contexts: 0,
  idSets: 0,
  gaps: 0,
  trimmed: 0,
});

/** Adds a batch, or a gap record, to the summary of its stream. */
export function summarize(summary: StreamSummary, header: BatchHeader, entry: LogEntry): void {
  summary.kind = header.kind;
  summary.lastReceiveTimeUs = Math.max(summary.lastReceiveTimeUs, entry.receiveTimeUs);
  if (header.codec === 'gap-1') {
    summary.gaps++;
    return;
  }
  if (summary.batches === 0) summary.origin = header.origin;
  else if (summary.origin !== undefined && summary.origin !== header.origin) summary.origin = 'mixed';
  summary.batches++;
  summary.records += header.recordCount;
  summary.bytes += entry.bytes.length;
  summary.firstTimeUs = Math.min(summary.firstTimeUs ?? Infinity, header.firstTimeUs);
  summary.lastTimeUs = Math.max(summary.lastTimeUs ?? -Infinity, header.lastTimeUs);
}

/** All that came of it was trimmed. */
export const isEmpty = ({ batches, gaps }: StreamSummary): boolean => batches + gaps === 0;
