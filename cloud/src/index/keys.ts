import { integerPart, joinKey, prefixRange, textPart, timePart, type KeyRange } from '@fleetlog/shared/store';
import type { StreamFilter } from './types.js';

/*
 * batch      = 'b' 0 gateway 0 stream 0 segment[4] firstTime[8] epochOrder[4] sequence[8]
 * segment    = 't' 0 gateway 0 stream 0 boot 0 wallOffset[8]
 * boot       = 'o' 0 gateway 0 boot 0
 * point      = 'p' 0 gateway 0 boot 0 monotonicTime[8]
 * summary    = 's' 0 gateway 0 stream 0
 * context    = 'x' 0 gateway 0 stream 0 name 0
 * idSet      = 'i' 0 gateway 0 stream 0 name 0
 * changes    = 'm' 0 gateway 0 stream 0 segment[4] minute[8]
 * epoch      = 'e' 0 gateway 0 stream 0 epoch 0
 * arrival    = 'a' 0 gateway 0 stream 0 offset[8]
 * gap        = 'g' 0 gateway 0 stream 0 epoch 0 sequence[8]
 * checkpoint = 'c' 0 partition[8]
 * format     = 'f' 0
 *
 * Batches of a segment sort as a reader wants them: by time, and of equal times in the order in which they were
 * captured. A segment holds what was stamped with one offset of one boot's clock, so that a correction, which comes
 * later and changes again, moves all of its times and never their order.
 */
type Space = 'a' | 'b' | 's' | 'e' | 'g' | 't' | 'x' | 'i' | 'm';

export const streamPrefix = (space: Space, gateway: string, stream: string): Uint8Array =>
  joinKey(textPart(space), textPart(gateway), textPart(stream));

export const epochKey = (gateway: string, stream: string, epoch: string): Uint8Array =>
  joinKey(streamPrefix('e', gateway, stream), textPart(epoch));

/** Of an `epochKey` that begins with `prefix`. */
export const epochOf = (key: Uint8Array, prefix: Uint8Array): string =>
  Buffer.from(key.subarray(prefix.length, -1)).toString('latin1');

export const gapKey = (gateway: string, stream: string, epoch: string, sequence: number): Uint8Array =>
  joinKey(streamPrefix('g', gateway, stream), textPart(epoch), integerPart(sequence));

export const arrivalKey = (gateway: string, stream: string, offset: number): Uint8Array =>
  joinKey(streamPrefix('a', gateway, stream), integerPart(offset));

export const contextKey = (gateway: string, stream: string, name: string): Uint8Array =>
  joinKey(streamPrefix('x', gateway, stream), textPart(name));

export const idSetKey = (gateway: string, stream: string, name: string): Uint8Array =>
  joinKey(streamPrefix('i', gateway, stream), textPart(name));

/** `minuteStartUs`: original event time. */
export const changesKey = (
  gateway: string,
  stream: string,
  segment: number,
  minuteStartUs: number,
): Uint8Array => joinKey(streamPrefix('m', gateway, stream), uint32Part(segment), timePart(minuteStartUs));

export const checkpointKey = (partition: number): Uint8Array =>
  joinKey(textPart('c'), integerPart(partition));

/** `boot` is empty for batches whose times aren't those of a clock of the gateway. */
export const segmentKey = (gateway: string, stream: string, boot: string, wallOffsetUs: number): Uint8Array =>
  joinKey(streamPrefix('t', gateway, stream), textPart(boot), timePart(wallOffsetUs));

export const bootPrefix = (gateway: string): Uint8Array => joinKey(textPart('o'), textPart(gateway));
export const bootKey = (gateway: string, boot: string): Uint8Array =>
  joinKey(bootPrefix(gateway), textPart(boot));

export const pointPrefix = (gateway: string, boot: string): Uint8Array =>
  joinKey(textPart('p'), textPart(gateway), textPart(boot));
export const pointKey = (gateway: string, boot: string, monotonicUs: number): Uint8Array =>
  joinKey(pointPrefix(gateway, boot), timePart(monotonicUs));

export const formatKey = textPart('f');

/** Largest distance of an event time from 1970 that a key holds: the year 2112. */
export const TIME_LIMIT_US = 2 ** 52 - 1;

/** `prefix` is `streamPrefix('b', …)`. */
export function batchKey(
  prefix: Uint8Array,
  segment: number,
  firstTimeUs: number,
  epochOrder: number,
  sequence: number,
): Uint8Array {
  return joinKey(
    prefix,
    uint32Part(segment),
    timePart(firstTimeUs),
    uint32Part(epochOrder),
    integerPart(sequence),
  );
}

function uint32Part(value: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Batches of a segment whose first time is in `[fromUs, toUs)`. */
export function batchKeys(
  gateway: string,
  stream: string,
  segment: number,
  fromUs: number,
  toUs: number,
): KeyRange {
  const prefix = joinKey(streamPrefix('b', gateway, stream), uint32Part(segment));
  return { gte: joinKey(prefix, timePart(clamp(fromUs))), lt: joinKey(prefix, timePart(clamp(toUs))) };
}

const clamp = (timeUs: number): number => Math.max(-TIME_LIMIT_US, Math.min(timeUs, TIME_LIMIT_US));

/** The keys of a space that the filter doesn't exclude by gateway; a stream alone can't narrow them. */
export function filteredKeys(space: Space, { gateway, stream }: StreamFilter): KeyRange {
  if (gateway === undefined) return prefixRange(textPart(space));
  if (stream === undefined) return prefixRange(joinKey(textPart(space), textPart(gateway)));
  return prefixRange(streamPrefix(space, gateway, stream));
}
