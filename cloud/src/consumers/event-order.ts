import { decodeBatch, type BatchHeader } from '@fleetlog/shared/batch';
import { isDataError } from '@fleetlog/shared/errors';
import type { LogEntry } from '../log/log.js';
import { FrontQueue } from './front-queue.js';

/** How a member's batches are put into the order of event time. */
export interface OrderOptions {
  /** Longest that a batch waits for what was recorded before it, µs since its receipt. */
  waitUs: number;
  /** When a batch begins, µs: of its first record. */
  timeOf: (header: BatchHeader) => Promise<number>;
}

/** What all ordered members together may hold; beyond it bytes are read again, and then batches go before their time. */
export class HoldBudget {
  bytes = 0;
  batches = 0;

  constructor(
    readonly bytesMax: number,
    readonly batchesMax: number,
  ) {}
}

interface Held {
  partition: number;
  offset: number;
  receiveTimeUs: number;
  timeUs: number;
  /** Undefined where there was no room: the log has them. */
  bytes: Uint8Array | undefined;
  size: number;
  isGone: boolean;
}

/** A batch whose turn it is. */
export interface Ordered extends Readonly<Held> {
  /** One that began later was given before. */
  late: boolean;
  /** Offset of the partition's first batch that waits yet, once this one was given; undefined where none does. */
  nextHeld: number | undefined;
}

const takenMax = 128;
const takenBytesMax = 512 * 1024;

/**
 * Holds batches back until what was recorded before them had its time to come. Nothing stays behind: what comes too late
 * is given at once, and marked.
 */
export class EventOrder {
  private readonly byTime = new FrontQueue<Held>();
  private readonly byPartition = new Map<number, FrontQueue<Held>>();
  private givenUs = -Infinity;
  /** All that begins up to here is due. */
  private dueUs = -Infinity;

  constructor(
    private readonly options: OrderOptions,
    private readonly budget: HoldBudget,
  ) {}

  get waitUs(): number {
    return this.options.waitUs;
  }

  get hasDue(): boolean {
    const { first } = this.byTime;
    return first !== undefined && first.timeUs <= this.dueUs;
  }

  /** When the batch that waits for longest was received, µs; undefined where none waits. */
  get oldestUs(): number | undefined {
    let oldestUs: number | undefined;
    for (const { first } of this.byPartition.values()) {
      if (first) oldestUs = Math.min(oldestUs ?? Infinity, first.receiveTimeUs);
    }
    return oldestUs;
  }

  /** Entries of a partition come in the order of their offsets. */
  async add({ partition, offset, receiveTimeUs, bytes }: LogEntry): Promise<void> {
    const timeUs = await this.timeOf(bytes);
    const { budget } = this;
    const size = bytes.length;
    const hasRoom = budget.bytes + size <= budget.bytesMax;
    const held: Held = { partition, offset, receiveTimeUs, timeUs, size, bytes: undefined, isGone: false };
    if (hasRoom) {
      held.bytes = bytes;
      budget.bytes += size;
    }
    budget.batches++;
    this.byTime.insert(held, (other) => other.timeUs > timeUs);
    const queue = this.byPartition.get(partition) ?? new FrontQueue();
    this.byPartition.set(partition, queue);
    queue.push(held);
    if (budget.batches > budget.batchesMax) this.dueUs = Math.max(this.dueUs, this.byTime.first!.timeUs);
  }

  /** What was received up to then is due, and with it all that begins before it. */
  expire(receivedUs: number): void {
    for (const queue of this.byPartition.values()) {
      for (const held of queue) {
        if (held.receiveTimeUs > receivedUs) break;
        this.dueUs = Math.max(this.dueUs, held.timeUs);
      }
    }
  }

  /** The next of what is due, in order: a page of it at most. */
  take(): Ordered[] {
    const taken: Ordered[] = [];
    for (let bytes = 0; this.hasDue && taken.length < takenMax && bytes < takenBytesMax;) {
      const held = this.byTime.shift()!;
      bytes += held.size;
      this.let(held);
      const queue = this.byPartition.get(held.partition)!;
      while (queue.first?.isGone) queue.shift();
      // What doesn't read has no time, and comes neither early nor late.
      const late = held.timeUs < this.givenUs && held.timeUs !== -Infinity;
      taken.push(Object.assign(held, { late, nextHeld: queue.first?.offset }));
      this.givenUs = Math.max(this.givenUs, held.timeUs);
    }
    return taken;
  }

  /** Offset of the partition's first batch that wasn't given; undefined where none is held. */
  firstHeld(partition: number): number | undefined {
    return this.byPartition.get(partition)?.first?.offset;
  }

  /** The partition is somebody else's. */
  drop(partition: number): void {
    for (const held of this.byPartition.get(partition) ?? []) if (!held.isGone) this.let(held);
    this.byPartition.delete(partition);
    this.byTime.keep((held) => held.partition !== partition);
  }

  private let(held: Held): void {
    held.isGone = true;
    this.budget.batches--;
    if (held.bytes) this.budget.bytes -= held.size;
  }

  private async timeOf(bytes: Uint8Array): Promise<number> {
    try {
      return await this.options.timeOf(decodeBatch(bytes).header);
    } catch (error) {
      if (!isDataError(error)) throw error;
      return -Infinity;
    }
  }
}
