import { FleetlogError } from '@fleetlog/shared/errors';
import type { IngestLog, LogAppend, LogNote, SharedLog } from '../log.js';
import { AppendQueue } from './append-queue.js';
import { Committer, type Partition } from './committer.js';
import { Follower, type FollowedPartition } from './follower.js';
import type { KafkaCluster } from './cluster.js';
import { KafkaLog, type KafkaLogParts } from './kafka-log.js';
import { Membership } from './membership.js';
import { toNote } from './notes-table.js';
import { entryOf } from './records.js';
import type { TransactionalWriter } from './writer.js';

export interface SharedLogParts extends KafkaLogParts {
  /** For following; see `FollowerOptions`. */
  following: KafkaCluster;
  /** A writer of this process's own, and that of a partition, which one process has at a time. */
  newWriter: (
    of: { partition: number } | 'process',
    onTakenOver: (error: FleetlogError) => void,
  ) => TransactionalWriter;
}

/**
 * The log in a topic that several processes write to, each to the partitions that it has taken. Each reads what all
 * have committed; what it committed itself counts when it has read it, too, so there is one order for all.
 */
export class SharedKafkaLog extends KafkaLog implements SharedLog {
  private readonly receivedUs = new Map<string, number>();
  private readonly follower: Follower;
  private readonly queues = new Set<AppendQueue>();
  private readonly ownQueue: AppendQueue;

  constructor(
    private readonly sharedParts: SharedLogParts,
    partitions: Partition[],
  ) {
    super(sharedParts, partitions);
    const { topics, reader, following: cluster, closing, clock, logger } = sharedParts;
    const followed = [
      ...partitions.map((_, partition) => this.entries(partition)),
      ...Array.from({ length: topics.notesPartitions }, (_, partition) => this.notesOf(partition)),
    ];
    this.follower = new Follower(followed, { cluster, reader, clock, logger, closing: closing.signal });
    const writer = sharedParts.newWriter('process', () => undefined);
    this.ownQueue = this.queueOf(writer, topics.notesPartitions - 1);
  }

  /** For what belongs to no gateway. Errors: FLEETLOG_USAGE for entries, which `take` is for. */
  async append(entries: readonly LogAppend[], notes: readonly LogNote[] = []): Promise<number[]> {
    this.parts.closing.signal.throwIfAborted();
    if (entries.length > 0) {
      throw new FleetlogError(
        'FLEETLOG_USAGE',
        'Several clouds write to this log: batches are for the one that has their partition.',
      );
    }
    return this.ownQueue.add({ entries, notes });
  }

  join(onAssigned: (partitions: readonly number[]) => void): AsyncDisposable {
    const { following, topics, clock, logger } = this.sharedParts;
    return new Membership({ address: following.address, topic: topics.log, clock, logger, onAssigned });
  }

  lastReceivedUs(gateway: string): number | undefined {
    return this.receivedUs.get(gateway);
  }

  async take(partition: number, onTakenOver: () => void): Promise<IngestLog> {
    this.checkPartition(partition);
    const { topics, reader } = this.parts;
    const writer = this.sharedParts.newWriter({ partition }, onTakenOver);
    await writer.ready();
    for (const topic of [topics.log, topics.notes]) {
      const { stable } = await reader.ends(topic, partition);
      await this.follower.reached(topic, partition, stable);
    }
    const queue = this.queueOf(writer, partition);
    const { closing } = this.parts;
    return {
      append: async (entries, notes = []) => {
        closing.signal.throwIfAborted();
        return queue.add({ entries, notes });
      },
      note: (key) => this.note(key),
      notes: (prefix) => this.notes(prefix),
      partitionOf: (gateway) => this.partitionOf(gateway),
    };
  }

  protected async idle(): Promise<void> {
    await Promise.all(Array.from(this.queues, (queue) => queue.idle()));
    await this.follower.ended();
  }

  private queueOf(writer: TransactionalWriter, notesPartition: number): AppendQueue {
    const { topics } = this.parts;
    const committer = new Committer(topics, writer, this.partitions, notesPartition);
    const queue = new AppendQueue(async (appends) => {
      const { offsets, entries, notesNext } = await committer.commit(appends);
      const last = entries.at(-1);
      if (last) await this.follower.reached(topics.log, last.partition, last.offset + 1);
      await this.follower.reached(topics.notes, notesPartition, notesNext);
      return offsets;
    });
    this.queues.add(queue);
    return queue;
  }

  private entries(partition: number): FollowedPartition {
    const state = this.partitions[partition];
    return {
      topic: this.parts.topics.log,
      partition,
      next: state.next,
      take: async (records, _next, first) => {
        state.first = Math.max(state.first, first);
        const entries = records.map((record) => entryOf(partition, record));
        for (const [i, { key }] of records.entries()) {
          if (key) this.receivedUs.set(key.toString(), entries[i].receiveTimeUs);
        }
        this.took(entries);
      },
    };
  }

  private notesOf(partition: number): FollowedPartition {
    const { notes, topics } = this.parts;
    return {
      topic: topics.notes,
      partition,
      next: notes.nextOf(partition),
      take: async (records, next) => {
        if (records.length > 0) await notes.apply(records.map(toNote), partition, next);
      },
    };
  }
}
