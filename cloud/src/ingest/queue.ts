import type { BatchHeader, BatchIdentity } from '@fleetlog/shared/batch';
import type { FleetlogError } from '@fleetlog/shared/errors';
import type { LogNote } from '../log/log.js';

/** A message that waits for the next commit; `key` is its stream's. */
export type Arrival =
  | {
      type: 'batch';
      key: string;
      batch: BatchHeader;
      bytes: Uint8Array;
      /** An operator's import: it may begin any number of streams. */
      isImport: boolean;
    }
  | { type: 'refused'; key: string; batch: BatchIdentity; error: FleetlogError }
  | {
      type: 'status';
      note: LogNote;
      /** The stream that a gateway hasn't spoken of before, perhaps. */
      begins?: StreamIdentity | undefined;
    };

type StreamIdentity = Omit<BatchIdentity, 'sequence'>;

export interface QueueLimits {
  /** Messages and their bytes, waiting or being written, above which nothing more is read from gateways. */
  messagesMax: number;
  bytesMax: number;
}

/** What an arrival costs in memory besides its bytes, about. */
const overheadBytes = 512;

/** Arrivals in order, counted in messages and bytes until they are committed. */
export class ArrivalQueue {
  private waiting: Arrival[] = [];
  private messages = 0;
  private bytes = 0;

  constructor(private readonly limits: QueueLimits) {}

  get isEmpty(): boolean {
    return this.waiting.length === 0;
  }

  /** Nothing waits, and nothing is being committed. */
  get isIdle(): boolean {
    return this.messages === 0;
  }

  get hasRoom(): boolean {
    return this.messages < this.limits.messagesMax && this.bytes < this.limits.bytesMax;
  }

  push(arrival: Arrival): void {
    this.waiting.push(arrival);
    this.messages++;
    this.bytes += cost(arrival);
  }

  /** The oldest ones, up to a limit of bytes, at least one; they go on counting until `release`. */
  take(bytesMax: number): Arrival[] {
    let count = 0;
    for (let bytes = 0; count < this.waiting.length && bytes < bytesMax; count++) {
      bytes += cost(this.waiting[count]);
    }
    return this.waiting.splice(0, count);
  }

  release(group: readonly Arrival[]): void {
    for (const arrival of group) {
      this.messages--;
      this.bytes -= cost(arrival);
    }
  }
}

function cost(arrival: Arrival): number {
  switch (arrival.type) {
    case 'batch':
      return overheadBytes + arrival.bytes.length;
    case 'status':
      return overheadBytes + arrival.note.value.length;
    default:
      return overheadBytes;
  }
}
