import type { BatchHeader } from '@fleetlog/shared/batch';
import { readInteger, type OrderedStore, type StoreEntry } from '@fleetlog/shared/store';
import { lengthsOf } from './facts.js';
import { batchKey, streamPrefix } from './keys.js';
import { NumberReader, packNumbers, toSigned } from './numbers.js';

/*
 * value = sort firstTime epochOrder sequence [ receiveTime duration more bytes ]
 * sort = 3 segment + kind; kind: 0 whole, 1 gap record, 2 thinned
 * duration, more = last time less first, µs; last sequence less first
 *
 * Batches of a stream in the order in which the log took them: what retention goes by, and where the index has the facts
 * of a batch. Of a gap record, which has none, what is in brackets is here.
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
const kinds = 3;

export function encodeArrival(
  header: BatchHeader,
  { receiveTimeUs, bytes }: { receiveTimeUs: number; bytes: Uint8Array },
  epochOrder: number,
  segment: number,
): Uint8Array {
  const { codec, firstTimeUs, lastTimeUs, sequence, lastSequence, thinned } = header;
  const isGap = codec === 'gap-1';
  return packNumbers([
    kinds * segment + (isGap ? kind.gap : thinned ? kind.thinned : kind.whole),
    toSigned(firstTimeUs),
    epochOrder,
    sequence,
    ...(isGap ? [receiveTimeUs, lastTimeUs - firstTimeUs, lastSequence - sequence, bytes.length] : []),
  ]);
}

/** Entries of the space of arrivals of one stream, with what the facts say; one without facts is left out. */
export async function readArrivals(
  store: Pick<OrderedStore, 'getMany'>,
  { gateway, stream }: { gateway: string; stream: string },
  entries: readonly StoreEntry[],
): Promise<IndexedArrival[]> {
  const read = entries.map(decodeArrival);
  const prefix = streamPrefix('b', gateway, stream);
  const whole = read.filter(({ isGap }) => !isGap);
  const facts = await store.getMany(
    whole.map(({ segment, firstTimeUs, epochOrder, sequence }) =>
      batchKey(prefix, segment, firstTimeUs, epochOrder, sequence),
    ),
  );
  const factsOf = new Map(whole.map((arrival, i) => [arrival, facts[i]]));
  return read.flatMap((arrival) => {
    if (arrival.isGap) return [arrival];
    const value = factsOf.get(arrival);
    if (!value) return [];
    const { durationUs, delayUs, bytes, records } = lengthsOf(value);
    const lastTimeUs = arrival.firstTimeUs + durationUs;
    return [{ ...arrival, lastTimeUs, receiveTimeUs: lastTimeUs + delayUs, bytes, records }];
  });
}

/** `key` is an `arrivalKey`: its last 8 bytes are the offset. What only the facts say is 0. */
function decodeArrival({ key, value }: StoreEntry): IndexedArrival {
  const input = new NumberReader(value);
  const sort = input.next();
  const [firstTimeUs, epochOrder, sequence] = [input.signed(), input.next(), input.next()];
  const isGap = sort % kinds === kind.gap;
  const [receiveTimeUs, durationUs, more, bytes] = isGap
    ? Array.from({ length: 4 }, () => input.next())
    : [0, 0, 0, 0];
  return {
    offset: readInteger(key, key.length - 8),
    isGap,
    isThinned: sort % kinds === kind.thinned,
    segment: Math.floor(sort / kinds),
    receiveTimeUs,
    firstTimeUs,
    lastTimeUs: firstTimeUs + durationUs,
    epochOrder,
    sequence,
    lastSequence: sequence + more,
    bytes,
    records: 0,
  };
}
