import type { StreamFilter } from '../index/index.js';
import type { Fleet, HeldSequences } from '../ingest/fleet.js';

/** What a gateway's last status says that its buffer has of a stream. */
export interface Buffered {
  gateway: string;
  stream: string;
  epoch: string;
  /** First sequence in the buffer, and the one behind the last. */
  first: number;
  next: number;
}

export const streamName = ({ gateway, stream }: { gateway: string; stream: string }): string =>
  `${gateway}/${stream}`;

/** By `streamName`, of each gateway's current epoch. */
export function bufferedStreams(fleet: Fleet, filter: StreamFilter): Map<string, Buffered> {
  const all = new Map<string, Buffered>();
  for (const { gateway, status } of fleet.presence()) {
    if (!status || (filter.gateway !== undefined && filter.gateway !== gateway)) continue;
    for (const [stream, { first, next }] of Object.entries(status.streams)) {
      if (filter.stream !== undefined && filter.stream !== stream) continue;
      all.set(`${gateway}/${stream}`, { gateway, stream, epoch: status.epoch, first, next });
    }
  }
  return all;
}

/** What the log holds, of the streams that the filter takes. */
export function heldSequences(fleet: Fleet, { gateway, stream }: StreamFilter): AsyncIterable<HeldSequences> {
  return fleet.held({ ...(gateway !== undefined && { gateway }), ...(stream !== undefined && { stream }) });
}

/** By `streamName`, batches that are in the gateway's buffer and not in the log. */
export async function pendingBatches(fleet: Fleet, filter: StreamFilter): Promise<Map<string, number>> {
  const buffered = bufferedStreams(fleet, filter);
  const pending = new Map<string, number>();
  for (const [name, { first, next }] of buffered) pending.set(name, next - first);
  for await (const sequences of heldSequences(fleet, filter)) {
    const name = streamName(sequences);
    const range = buffered.get(name);
    if (range?.epoch !== sequences.epoch) continue;
    let batches = 0;
    for (const [first, last] of sequences.held.holes(range.first, range.next - 1))
      batches += last - first + 1;
    pending.set(name, batches);
  }
  return pending;
}
