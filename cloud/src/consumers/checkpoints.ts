import type { Clock } from '@fleetlog/shared/util';
import type { Log, LogNote } from '../log/log.js';
import type { Positions } from './types.js';

export interface Checkpoint {
  /** Offset of the first entry that the group hasn't finished. */
  next: number;
  committedUs: number;
}

interface Change {
  group: string;
  partition: number;
  /** Undefined where the group is deleted. */
  checkpoint: Checkpoint | undefined;
}

const prefix = 'consumer/';
const noteKey = (group: string, partition: number): string => `${prefix}${group}/${partition}`;

/**
 * Where each group is, in memory and as notes of the log: they are in the same store as the batches, so that neither
 * is ever older than the other. Commits that come while one is written share the next write.
 */
export class Checkpoints {
  private pending = new Map<string, Change>();
  private nextWrite: Promise<void> | undefined;
  /** Never rejects. */
  private lastWrite: Promise<void> = Promise.resolve();

  private constructor(
    private readonly log: Log,
    private readonly clock: Clock,
    private readonly byGroup: Map<string, Map<number, Checkpoint>>,
  ) {}

  static async load(log: Log, clock: Clock): Promise<Checkpoints> {
    const checkpoints = new Checkpoints(log, clock, new Map());
    for await (const { key, value } of log.notes(prefix)) {
      if (value.length === 0) continue; // deleted
      const [group, partition] = key.slice(prefix.length).split('/');
      const checkpoint = JSON.parse(Buffer.from(value).toString()) as Checkpoint;
      checkpoints.apply({ group, partition: Number(partition), checkpoint });
    }
    return checkpoints;
  }

  get groups(): string[] {
    return [...this.byGroup.keys()].sort();
  }

  has(group: string): boolean {
    return this.byGroup.has(group);
  }

  get(group: string, partition: number): Checkpoint | undefined {
    return this.byGroup.get(group)?.get(partition);
  }

  /** Durable when it resolves. A checkpoint never goes back in here. Errors: those of the log's `append`. */
  advance(group: string, positions: Positions): Promise<void> {
    return this.write(group, positions, (partition) => {
      const waiting = this.pending.get(noteKey(group, partition))?.checkpoint?.next ?? 0;
      return Math.max(waiting, this.get(group, partition)?.next ?? 0);
    });
  }

  /** As `advance`, but wherever somebody wants it. */
  place(group: string, positions: Positions): Promise<void> {
    return this.write(group, positions, () => 0);
  }

  delete(group: string): Promise<void> {
    for (const partition of this.byGroup.get(group)?.keys() ?? []) {
      this.pending.set(noteKey(group, partition), { group, partition, checkpoint: undefined });
    }
    return this.flush();
  }

  private write(group: string, positions: Positions, least: (partition: number) => number): Promise<void> {
    const committedUs = this.clock.nowUs();
    for (const [partition, position] of positions) {
      const checkpoint = { next: Math.max(position, least(partition)), committedUs };
      this.pending.set(noteKey(group, partition), { group, partition, checkpoint });
    }
    return this.flush();
  }

  private flush(): Promise<void> {
    if (!this.nextWrite) {
      const write = this.lastWrite.then(() => {
        this.nextWrite = undefined;
        return this.writeNow();
      });
      this.nextWrite = write;
      this.lastWrite = write.catch(() => {}); // told to those who wait for it
    }
    return this.nextWrite;
  }

  private async writeNow(): Promise<void> {
    const changes = this.pending;
    this.pending = new Map();
    if (changes.size === 0) return;
    const notes = Array.from(changes, ([key, { checkpoint }]): LogNote => {
      const value = Buffer.from(checkpoint ? JSON.stringify(checkpoint) : '');
      return { key, value };
    });
    await this.log.append([], notes);
    for (const change of changes.values()) this.apply(change);
  }

  private apply({ group, partition, checkpoint }: Change): void {
    const positions = this.byGroup.get(group) ?? new Map<number, Checkpoint>();
    if (checkpoint) positions.set(partition, checkpoint);
    else positions.delete(partition);
    if (positions.size > 0) this.byGroup.set(group, positions);
    else this.byGroup.delete(group);
  }
}
