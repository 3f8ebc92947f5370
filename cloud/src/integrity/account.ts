import type { BatchHeader } from '@fleetlog/shared/batch';
import { RangeSet } from '@fleetlog/shared/util';

/** Which entries a stream has, in two numbers: equal ones of log and index mean equal entries. */
export interface StreamSum {
  batches: number;
  /** Sum of a hash of each place, modulo 2^52. */
  hash: number;
}

export const emptySum = (): StreamSum => ({ batches: 0, hash: 0 });

export function addPlace(sum: StreamSum, partition: number, offset: number, sequence: number): void {
  let hash = Math.imul(partition ^ 0x9e3779b9, 0x85ebca6b);
  for (const part of [offset % 0x1_0000_0000, Math.floor(offset / 0x1_0000_0000), sequence % 0x1_0000_0000]) {
    hash = Math.imul((hash ^ part) >>> 0, 0xc2b2ae35);
    hash ^= hash >>> 15;
  }
  sum.batches++;
  sum.hash = (sum.hash + (hash >>> 0)) % 2 ** 52;
}

/** What the log was found to hold. Bounded by the number of streams and of holes in them. */
export class LogAccount {
  /** By `gateway/stream`, without gap records. */
  readonly sums = new Map<string, StreamSum>();
  /** By `gateway/epoch/stream`, gap records included. */
  readonly sequences = new Map<string, RangeSet>();
  batches = 0;
  bytes = 0;

  add(partition: number, offset: number, header: BatchHeader, bytes: number): void {
    const { gateway, stream, epoch, sequence, lastSequence, codec } = header;
    this.batches++;
    this.bytes += bytes;
    const life = `${gateway}/${epoch}/${stream}`;
    let held = this.sequences.get(life);
    if (!held) this.sequences.set(life, (held = new RangeSet()));
    held.add(sequence, lastSequence);
    if (codec === 'gap-1') return;
    const name = `${gateway}/${stream}`;
    let sum = this.sums.get(name);
    if (!sum) this.sums.set(name, (sum = emptySum()));
    addPlace(sum, partition, offset, sequence);
  }
}
