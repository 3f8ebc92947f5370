import type { BatchHeader } from '@fleetlog/shared/batch';
import { readInteger, type StoreEntry } from '@fleetlog/shared/store';
import type { LogEntry } from '../log/log.js';
import { NumberReader, packNumbers, toSigned } from './numbers.js';

/*
 * value = kind segment receiveTime delay duration epochOrder sequence more bytes records
 * kind = 0 whole, 1 gap record, 2 thinned
 * delay, duration = receive time less last time, last time less first, µs
 * more = last sequence less first
 *
 * Batches of a stream in the order in which the log took them: what retention goes by, and all that it takes to find
 * what else the index has of a batch.
 */
export interface IndexedArrival {
  offset: number;
  isGap: boolean;
  /** Thinned: the index has a record of what was taken out. */
  isThinned: boolean;
  segment: number;
  receiveTimeUs: number;
  firstTimeUs: number;
  lastTimeUs: number;
  epochOrder: number;
  sequence: number;
  lastSequence: number;
  bytes: number;
  records: number;
}

const kind = { whole: 0, gap: 1, thinned: 2 } as const;

export function encodeArrival(
  header: BatchHeader,
  { receiveTimeUs, bytes }: LogEntry,
  epochOrder: number,
  segment: number,
): Uint8Array {
  const { codec, firstTimeUs, lastTimeUs, sequence, lastSequence, recordCount, thinned } = header;
  const isGap = codec === 'gap-1';
  return packNumbers([
    isGap ? kind.gap : thinned ? kind.thinned : kind.whole,
    segment,
    receiveTimeUs,
    toSigned(receiveTimeUs - lastTimeUs),
    lastTimeUs - firstTimeUs,
    epochOrder,
    sequence,
    lastSequence - sequence,
    bytes.length,
    isGap ? 0 : recordCount, // of a gap record it is what was lost, or -1
  ]);
}

/** `key` is an `arrivalKey`: its last 8 bytes are the offset. */
export function decodeArrival({ key, value }: StoreEntry): IndexedArrival {
  const input = new NumberReader(value);
  const what = input.next();
  const segment = input.next();
  const receiveTimeUs = input.next();
  const lastTimeUs = receiveTimeUs - input.signed();
  const firstTimeUs = lastTimeUs - input.next();
  const [epochOrder, sequence, more, bytes, records] = Array.from({ length: 5 }, () => input.next());
  return {
    offset: readInteger(key, key.length - 8),
    isGap: what === kind.gap,
    isThinned: what === kind.thinned,
    segment,
    receiveTimeUs,
    firstTimeUs,
    lastTimeUs,
    epochOrder,
    sequence,
    lastSequence: sequence + more,
    bytes,
    records,
  };
}
