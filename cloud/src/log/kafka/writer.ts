import {
  addPartitionsToTxnV3,
  endTxnV3,
  initProducerIdV4,
  NumericMap,
  ProduceAcks,
  produceV9,
  type MessageRecord,
} from '@platformatic/kafka';
import { FleetlogError, isFleetlogError } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';
import { isKafkaError, type KafkaCluster } from './cluster.js';

/** What one transaction writes to one partition, in order. */
export interface TopicPart {
  topic: string;
  partition: number;
  records: MessageRecord[];
}

export interface WriterOptions {
  /** One writer at a time has it: who opens it last, and the one before is refused from then on. */
  transactionalId: string;
  cluster: KafkaCluster;
  clock: Clock;
  logger: Logger;
  /** Ends the wait for brokers that don't answer. */
  closing: AbortSignal;
  onTakenOver?: ((error: FleetlogError) => void) | undefined;
  /** Whether a record at this offset was committed; asked when the answer to a commit got lost. */
  isCommitted: (topic: string, partition: number, offset: number) => Promise<boolean>;
}

/**
 * Below Kafka's own default for its `max.message.bytes`, and small enough that one batch of the log is found without
 * reading much else: Kafka gives back whole record batches.
 */
const recordBatchBytesMax = 512 * 1024;
/** What a dead process has begun holds up those who read behind it for so long, where nobody takes over from it. */
const transactionMsMax = 20_000;
/** An answer that doesn't come within this is an error to who appends, and is tried again from there. */
const patienceMs = 10_000;
const retryMs = 500;
const noProducer = { producerId: -1n, epoch: -1 };

type State = 'ready' | 'unsure' | 'fenced';

/**
 * Writes in transactions, one at a time: readers of committed records see all of one or nothing, also where this
 * process dies in the middle, and a writer that another one has followed can't write any more.
 */
export class TransactionalWriter {
  private producer = noProducer;
  private state: State = 'unsure';
  /** Next sequence number of the producer in each partition (`topic:partition`), as Kafka counts them. */
  private readonly sequences = new NumericMap();

  constructor(private readonly options: WriterOptions) {}

  /**
   * Takes over from whoever wrote before: what they hadn't committed is aborted. Called again, it makes sure of what
   * became of the transaction before. Errors: FLEETLOG_LOCKED when another writer took over, FLEETLOG_UNREACHABLE.
   */
  async ready(): Promise<void> {
    if (this.state === 'ready') return;
    if (this.state === 'fenced') throw this.fenced();
    const { transactionalId, cluster } = this.options;
    const { producerId: id, epoch } = this.producer;
    try {
      const { producerId, producerEpoch } = await this.patiently(async () => {
        const connection = await cluster.coordinator(transactionalId);
        return initProducerIdV4.api.async(connection, transactionalId, transactionMsMax, id, epoch);
      });
      this.producer = { producerId, epoch: producerEpoch };
    } catch (error) {
      // Only here it means that there is a newer writer: a transaction that took too long is refused in the same words.
      if (!isKafkaError(error, 'PRODUCER_FENCED', 'INVALID_PRODUCER_EPOCH')) throw cluster.complaint(error);
      this.state = 'fenced';
      const taken = this.fenced();
      this.options.onTakenOver?.(taken);
      throw taken;
    }
    this.sequences.clear();
    this.state = 'ready';
  }

  /**
   * Writes all of these records or none, and returns the offset of each part's first record; a part's others follow
   * without holes. Where it rejects nothing was written. Errors: FLEETLOG_LOCKED, FLEETLOG_UNREACHABLE.
   */
  async commit(parts: readonly TopicPart[]): Promise<number[]> {
    const { cluster } = this.options;
    await this.ready();
    this.state = 'unsure';
    let offsets: number[];
    try {
      await this.addPartitions(parts);
      offsets = await this.produce(parts);
    } catch (error) {
      throw cluster.complaint(error); // never committed, and aborted when the next one begins
    }
    try {
      await this.end();
      this.state = 'ready';
    } catch (error) {
      if (!(await this.wasCommitted(parts[0], offsets[0], error))) throw cluster.complaint(error);
    }
    return offsets;
  }

  private addPartitions(parts: readonly TopicPart[]): Promise<unknown> {
    const { transactionalId, cluster } = this.options;
    const { producerId, epoch: producerEpoch } = this.producer;
    const byTopic = Map.groupBy(parts, ({ topic }) => topic);
    const topics = Array.from(byTopic, ([name, of]) => ({
      name,
      partitions: of.map(({ partition }) => partition),
    }));
    // The markers of the transaction before may still be on their way: Kafka says so, and takes it a moment later.
    return this.patiently(async () =>
      addPartitionsToTxnV3.api.async(await cluster.coordinator(transactionalId), [
        { transactionalId, producerId, producerEpoch, topics, verifyOnly: false },
      ]),
    );
  }

  /** Sends to all leaders at once; what is larger than a record batch may be goes in several, one behind the other. */
  private async produce(parts: readonly TopicPart[]): Promise<number[]> {
    return Promise.all(
      parts.map(async (part) => {
        const chunks = inChunks(part.records);
        let first: number | undefined;
        for (const chunk of chunks) {
          const offset = await this.produceChunk(part, chunk);
          first ??= offset;
        }
        return first ?? 0;
      }),
    );
  }

  private async produceChunk({ topic, partition }: TopicPart, records: MessageRecord[]): Promise<number> {
    const { transactionalId, cluster } = this.options;
    const key = `${topic}:${partition}`;
    const sequence = this.sequences.getWithDefault(key, 0);
    const result = await this.patiently(async () => {
      const { connection } = await cluster.leader(topic, partition);
      return produceV9.api.async(connection, ProduceAcks.ALL, patienceMs, records, {
        transactionalId,
        producerId: this.producer.producerId,
        producerEpoch: this.producer.epoch,
        // A repeated request has the number of the first one, so Kafka knows it.
        sequences: new NumericMap([[key, sequence]]),
      });
    });
    if (typeof result === 'boolean')
      throw new FleetlogError('FLEETLOG_DEFECT', 'Kafka was asked for no answer.');
    this.sequences.set(key, sequence + records.length);
    return Number(result.responses[0].partitionResponses[0].baseOffset);
  }

  private end(): Promise<unknown> {
    const { transactionalId, cluster } = this.options;
    const { producerId, epoch } = this.producer;
    return this.patiently(async () =>
      endTxnV3.api.async(
        await cluster.coordinator(transactionalId),
        transactionalId,
        producerId,
        epoch,
        true,
      ),
    );
  }

  /** The commit may have worked although nobody said so: asks until it is known. */
  private async wasCommitted(
    { topic, partition }: TopicPart,
    offset: number,
    error: unknown,
  ): Promise<boolean> {
    const { closing, clock, logger, isCommitted } = this.options;
    const { message } = this.options.cluster.complaint(error);
    logger.warn({ topic, partition, offset }, `${message} Looking whether the last commit worked.`);
    for (;;) {
      try {
        await this.ready();
        return await isCommitted(topic, partition, offset);
      } catch (cause) {
        if (closing.aborted || isFleetlogError(cause, 'FLEETLOG_LOCKED')) throw cause;
        await clock.sleep(retryMs, closing).catch(() => undefined); // the loop looks at the signal
      }
    }
  }

  private patiently<T>(operation: () => Promise<T>): Promise<T> {
    return this.options.cluster.patiently(operation, { msMax: patienceMs, signal: this.options.closing });
  }

  private fenced(): FleetlogError {
    return new FleetlogError(
      'FLEETLOG_LOCKED',
      `Another process writes to this log now (${this.options.transactionalId}); one cloud at a time can.`,
    );
  }
}

function inChunks(records: MessageRecord[]): MessageRecord[][] {
  const chunks: MessageRecord[][] = [];
  let bytes = Infinity;
  for (const record of records) {
    const size = record.value.length + (record.key?.length ?? 0);
    if (bytes + size > recordBatchBytesMax) {
      chunks.push([]);
      bytes = 0;
    }
    chunks[chunks.length - 1].push(record);
    bytes += size;
  }
  return chunks;
}
