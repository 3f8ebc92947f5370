import { fetchV13, listOffsetsV7, type Connection, type RecordsBatch } from '@platformatic/kafka';
import { isKafkaError, type KafkaCluster } from './cluster.js';

export interface CommittedRecord {
  offset: number;
  /** ms since the Unix epoch. */
  timestampMs: number;
  key: Buffer | null;
  value: Buffer;
  headers: [Buffer | null, Buffer | null][];
}

export interface Fetched {
  records: CommittedRecord[];
  /** Where to go on; the offset asked for where there is nothing yet. */
  next: number;
}

/** Of what: the first record kept, and the end of what is decided (committed or aborted). */
export interface TopicEnds {
  first: number;
  stable: number;
}

const readCommitted = 1;
const controlBit = 0x20;
const transactionalBit = 0x10;
const patienceMs = 10_000;
const [earliest, latest] = [-2n, -1n];

/**
 * Reads what was committed. Kafka sends what was aborted as well, with a list of it; the client's own filter knows one
 * aborted transaction per producer and answer, and lets through what has its marker in a later answer.
 */
export class CommittedReader {
  constructor(
    private readonly cluster: KafkaCluster,
    private readonly closing: AbortSignal,
  ) {}

  /**
   * Committed records from `offset` on, of one record batch at least where there is one, and up to about `bytesMax`.
   * Errors: FLEETLOG_UNREACHABLE.
   */
  async fetch(topic: string, partition: number, offset: number, bytesMax: number): Promise<Fetched> {
    try {
      return await this.patiently(() => this.fetchOnce(topic, partition, offset, bytesMax));
    } catch (error) {
      if (!isKafkaError(error, 'OFFSET_OUT_OF_RANGE')) throw this.cluster.complaint(error);
      const { first, stable } = await this.ends(topic, partition);
      return { records: [], next: Math.min(Math.max(offset, first), stable) };
    }
  }

  async ends(topic: string, partition: number): Promise<TopicEnds> {
    const [first, stable] = await Promise.all(
      [earliest, latest].map((timestamp) => this.listOffset(topic, partition, timestamp)),
    );
    return { first, stable };
  }

  /** First offset whose timestamp is at or after this one; undefined where there is none. */
  async offsetAt(topic: string, partition: number, timestampMs: number): Promise<number | undefined> {
    const offset = await this.listOffset(topic, partition, BigInt(timestampMs));
    return offset < 0 ? undefined : offset;
  }

  private async listOffset(topic: string, partition: number, timestamp: bigint): Promise<number> {
    try {
      const { topics } = await this.patiently(async () => {
        const { connection } = await this.cluster.leader(topic, partition);
        const partitions = [{ partitionIndex: partition, currentLeaderEpoch: -1, timestamp }];
        return listOffsetsV7.api.async(connection, -1, readCommitted, [{ name: topic, partitions }]);
      });
      return Number(topics[0].partitions[0].offset);
    } catch (error) {
      throw this.cluster.complaint(error);
    }
  }

  private async fetchOnce(
    topic: string,
    partition: number,
    offset: number,
    bytesMax: number,
  ): Promise<Fetched> {
    const { connection, topicId } = await this.cluster.leader(topic, partition);
    const asked = [{ topicId, positions: [{ partition, offset }] }];
    const [fetched] = await fetchFrom(connection, asked, { bytesMax, waitMsMax: 0 });
    return fetched;
  }

  private patiently<T>(operation: () => Promise<T>): Promise<T> {
    return this.cluster.patiently(operation, { msMax: patienceMs, signal: this.closing });
  }
}

/** Positions of one topic from which is read. */
export interface AskedTopic {
  topicId: string;
  positions: readonly { partition: number; offset: number }[];
}

export interface FetchedPartition extends Fetched {
  topicId: string;
  partition: number;
  /** First offset that is kept. */
  first: number;
}

/**
 * Committed records of partitions that this broker leads. Where there are none it waits for `waitMsMax` at most;
 * `bytesMax` is for each partition. Errors: the client's.
 */
export async function fetchFrom(
  connection: Connection,
  asked: readonly AskedTopic[],
  { bytesMax, waitMsMax }: { bytesMax: number; waitMsMax: number },
): Promise<FetchedPartition[]> {
  const offsets = new Map<string, number>();
  const topics = asked.map(({ topicId, positions }) => ({
    topicId,
    partitions: positions.map(({ partition, offset }) => {
      offsets.set(`${topicId}:${partition}`, offset);
      return {
        partition,
        currentLeaderEpoch: -1,
        fetchOffset: BigInt(offset),
        lastFetchedEpoch: -1,
        partitionMaxBytes: bytesMax,
      };
    }),
  }));
  const all = bytesMax * offsets.size;
  const { responses } = await fetchV13.api.async(
    connection,
    waitMsMax,
    waitMsMax > 0 ? 1 : 0,
    all,
    readCommitted,
    0,
    -1,
    topics,
    [],
    '',
  );
  return responses.flatMap(({ topicId, partitions }) =>
    partitions.map(({ partitionIndex: partition, records, abortedTransactions, logStartOffset }) => {
      const offset = offsets.get(`${topicId}:${partition}`) ?? 0;
      const fetched = committedFrom(offset, records ?? [], abortedTransactions ?? []);
      return { topicId, partition, first: Number(logStartOffset), ...fetched };
    }),
  );
}

function committedFrom(
  offset: number,
  batches: readonly RecordsBatch[],
  aborted: readonly { producerId: bigint; firstOffset: bigint }[],
): Fetched {
  const records: CommittedRecord[] = [];
  let next = offset;
  for (const batch of committed(batches, aborted)) {
    const first = Number(batch.firstOffset);
    next = first + batch.lastOffsetDelta + 1;
    if (batch.attributes & controlBit || batch.isAborted) continue;
    for (const { offsetDelta, timestampDelta, key, value, headers } of batch.records) {
      if (first + offsetDelta < offset || value === null) continue;
      const timestampMs = Number(batch.firstTimestamp + timestampDelta);
      records.push({ offset: first + offsetDelta, timestampMs, key, value, headers });
    }
  }
  return { records, next };
}

/**
 * Each batch with whether it was aborted, as KIP-98 says: an aborted transaction goes from its first offset to its
 * producer's next marker.
 */
function* committed(
  batches: readonly RecordsBatch[],
  aborted: readonly { producerId: bigint; firstOffset: bigint }[],
): Iterable<RecordsBatch & { isAborted: boolean }> {
  const waiting = [...aborted].sort((a, b) => Number(a.firstOffset - b.firstOffset));
  const open = new Set<bigint>();
  for (const batch of batches) {
    const last = batch.firstOffset + BigInt(batch.lastOffsetDelta);
    while (waiting.length > 0 && waiting[0].firstOffset <= last) {
      open.add((waiting.shift() as { producerId: bigint }).producerId);
    }
    if (batch.attributes & controlBit) open.delete(batch.producerId);
    const isAborted = (batch.attributes & transactionalBit) !== 0 && open.has(batch.producerId);
    yield { ...batch, isAborted };
  }
}
