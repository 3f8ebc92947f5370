import type { BatchIdentity } from '@fleetlog/shared/batch';
import type { RangeSet } from '@fleetlog/shared/util';
import type { LogAppend, LogNote } from '../log/log.js';
import { Acks } from './acks.js';
import { heldNote } from './held.js';
import type { Arrival } from './queue.js';

/** What one commit does: which arrivals go into the log, which notes change with them, and what is told afterwards. */
export class CommitGroup {
  readonly entries: LogAppend[] = [];
  records = 0;
  bytes = 0;
  duplicates = 0;
  putOff = 0;
  private readonly touched = new Map<string, BatchIdentity>();
  private readonly changed = new Set<string>();
  private readonly statuses = new Map<string, LogNote>();
  private readonly acks = new Acks();

  /** `sets`: what the log holds of each stream that arrivals are of; changed in here. */
  constructor(
    private readonly sets: ReadonlyMap<string, RangeSet>,
    private readonly rangesPerStreamMax: number,
    private readonly receiveTimeUs: number,
    private readonly partitionOf: (gateway: string) => number,
    /** Whether a stream is new, and may not begin yet. */
    private readonly isTooNew: (arrival: Arrival) => boolean,
  ) {}

  add(arrival: Arrival): void {
    if (this.isTooNew(arrival)) {
      if (arrival.type === 'batch') this.putOff++;
      return;
    }
    if (arrival.type === 'status') {
      this.statuses.set(arrival.note.key, arrival.note);
      return;
    }
    const { key, type, batch } = arrival;
    this.touched.set(key, batch);
    if (type === 'refused') {
      const { code, message: reason } = arrival.error;
      this.acks.refused(batch, { sequence: batch.sequence, code, reason });
      return;
    }
    const { sequence, lastSequence, codec, recordCount } = batch;
    const held = this.setOf(key);
    if (held.covers(sequence, lastSequence)) {
      this.duplicates++;
      return;
    }
    const makesRange = !held.intersects(Math.max(0, sequence - 1), lastSequence + 1);
    if (makesRange && held.rangeCount >= this.rangesPerStreamMax) {
      this.putOff++;
      return;
    }
    held.add(sequence, lastSequence);
    this.changed.add(key);
    const { bytes } = arrival;
    const { gateway, stream } = batch;
    const partition = this.partitionOf(gateway);
    this.entries.push({ partition, receiveTimeUs: this.receiveTimeUs, bytes, gateway, stream });
    this.bytes += bytes.length;
    if (codec !== 'gap-1') this.records += recordCount;
  }

  get notes(): LogNote[] {
    return [...Array.from(this.changed, (key) => heldNote(key, this.setOf(key))), ...this.statuses.values()];
  }

  /** To be sent when all of this is durable. */
  finish(): Acks {
    for (const [key, batch] of this.touched) this.acks.held(batch, this.setOf(key));
    return this.acks;
  }

  private setOf(key: string): RangeSet {
    return this.sets.get(key) as RangeSet; // the sets of all arrivals were loaded
  }
}
