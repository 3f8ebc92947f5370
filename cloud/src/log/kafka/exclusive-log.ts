import type { LogAppend, LogNote } from '../log.js';
import { AppendQueue, type QueuedAppend } from './append-queue.js';
import { Committer, type Partition } from './committer.js';
import { KafkaLog, type KafkaLogParts } from './kafka-log.js';
import type { TransactionalWriter } from './writer.js';

const noteRetryMs = 1000;

/** The log in a topic that one process writes to, which knows by itself what is in there. */
export class ExclusiveKafkaLog extends KafkaLog {
  private readonly queue: AppendQueue;

  constructor(parts: KafkaLogParts, partitions: Partition[], writer: TransactionalWriter) {
    super(parts, partitions);
    const committer = new Committer(parts.topics, writer, partitions, 0);
    this.queue = new AppendQueue((appends) => this.commit(committer, appends));
  }

  async append(entries: readonly LogAppend[], notes: readonly LogNote[] = []): Promise<number[]> {
    this.parts.closing.signal.throwIfAborted();
    for (const { partition } of entries) this.checkPartition(partition);
    return this.queue.add({ entries, notes });
  }

  protected idle(): Promise<void> {
    return this.queue.idle();
  }

  private async commit(committer: Committer, appends: readonly QueuedAppend[]): Promise<number[][]> {
    const { offsets, entries, notes, notesNext } = await committer.commit(appends);
    if (notes.length > 0) await this.noted(notes, notesNext);
    this.took(entries);
    return offsets;
  }

  /** What is committed can't be taken back: a disk that doesn't take the notes is asked until it does. */
  private async noted(notes: readonly LogNote[], next: number): Promise<void> {
    const { notes: table, clock, logger, closing } = this.parts;
    for (let attempt = 1; ; attempt++) {
      try {
        await table.apply(notes, 0, next);
        return;
      } catch (error) {
        if (closing.signal.aborted) throw error;
        logger.error({ attempt, error }, 'The notes of the log cannot be kept on this disk; trying again.');
        await clock.sleep(noteRetryMs, closing.signal).catch(() => undefined); // the loop looks at the signal
      }
    }
  }
}
