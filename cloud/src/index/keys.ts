import { integerPart, joinKey, prefixRange, textPart, timePart, type KeyRange } from '@fleetlog/shared/store';
import type { StreamFilter } from './types.js';

/*
 * batch      = 'b' 0 gateway 0 stream 0 firstTime[8] epochOrder[4] sequence[8]
 * summary    = 's' 0 gateway 0 stream 0
 * epoch      = 'e' 0 gateway 0 stream 0 epoch 0
 * gap        = 'g' 0 gateway 0 stream 0 epoch 0 sequence[8]
 * checkpoint = 'c' 0 partition[8]
 * format     = 'f' 0
 *
 * Batches sort as a reader wants them: by time, and of equal times in the order in which they were captured.
 */
type Space = 'b' | 's' | 'e' | 'g';

export const streamPrefix = (space: Space, gateway: string, stream: string): Uint8Array =>
  joinKey(textPart(space), textPart(gateway), textPart(stream));

export const epochKey = (gateway: string, stream: string, epoch: string): Uint8Array =>
  joinKey(streamPrefix('e', gateway, stream), textPart(epoch));

export const gapKey = (gateway: string, stream: string, epoch: string, sequence: number): Uint8Array =>
  joinKey(streamPrefix('g', gateway, stream), textPart(epoch), integerPart(sequence));

export const checkpointKey = (partition: number): Uint8Array =>
  joinKey(textPart('c'), integerPart(partition));

export const formatKey = textPart('f');

/** Largest distance of an event time from 1970 that a key holds: the year 2112. */
export const TIME_LIMIT_US = 2 ** 52 - 1;

/** `prefix` is `streamPrefix('b', …)`. */
export function batchKey(
  prefix: Uint8Array,
  firstTimeUs: number,
  epochOrder: number,
  sequence: number,
): Uint8Array {
  const order = Buffer.allocUnsafe(4);
  order.writeUInt32BE(epochOrder);
  return joinKey(prefix, timePart(firstTimeUs), order, integerPart(sequence));
}

/** Batches whose first time is in `[fromUs, toUs)`. */
export function batchKeys(gateway: string, stream: string, fromUs: number, toUs: number): KeyRange {
  const prefix = streamPrefix('b', gateway, stream);
  return { gte: joinKey(prefix, timePart(clamp(fromUs))), lt: joinKey(prefix, timePart(clamp(toUs))) };
}

const clamp = (timeUs: number): number => Math.max(-TIME_LIMIT_US, Math.min(timeUs, TIME_LIMIT_US));

/** The keys of a space that the filter doesn't exclude by gateway; a stream alone can't narrow them. */
export function filteredKeys(space: Space, { gateway, stream }: StreamFilter): KeyRange {
  if (gateway === undefined) return prefixRange(textPart(space));
  if (stream === undefined) return prefixRange(joinKey(textPart(space), textPart(gateway)));
  return prefixRange(streamPrefix(space, gateway, stream));
}
