import type { StreamKind } from '@fleetlog/shared/batch';
import { FleetlogError } from '@fleetlog/shared/errors';
import { RangeSet } from '@fleetlog/shared/util';
import type { BufferedStream } from './buffer.js';

/** Bytes and records. */
export interface Totals {
  bytes: number;
  records: number;
}

/** What the buffer knows of one stream; all but `durableNext` and `toRemove` is stored in its meta record. */
export class StreamState {
  next = 0;
  durableNext = 0;
  refused = 0;
  /** Put since the epoch began, and of these removed. */
  readonly put: Totals = { bytes: 0, records: 0 };
  readonly removed: Totals = { bytes: 0, records: 0 };
  position: Uint8Array | undefined;
  /** Acknowledged or refused: not to be sent again. */
  done = new RangeSet();
  /** Acknowledged, and still on disk. */
  toRemove = new RangeSet();
  /** Changed since its meta record was last written. */
  dirty = false;

  constructor(
    readonly stream: string,
    readonly kind: StreamKind,
  ) {}

  get first(): number {
    for (const [first, last] of this.done) return first === 0 ? last + 1 : 0;
    return 0;
  }

  /** Durable sequences from `sequence` on that are to be sent, ascending, at most `limit`. */
  unsent(sequence: number, limit: number): number[] {
    const found: number[] = [];
    if (sequence >= this.durableNext) return found;
    for (const [first, last] of this.done.holes(sequence, this.durableNext - 1)) {
      for (let s = first; s <= last; s++) {
        if (found.length === limit) return found;
        found.push(s);
      }
    }
    return found;
  }

  /** The parts of `held` that are durable here and not done yet. */
  newlyHeld(held: RangeSet): [number, number][] {
    const found: [number, number][] = [];
    for (const [first, last] of held) {
      found.push(...this.done.holes(first, Math.min(last, this.durableNext - 1)));
    }
    return found;
  }

  describe(): BufferedStream {
    return {
      stream: this.stream,
      kind: this.kind,
      first: this.first,
      durableNext: this.durableNext,
      next: this.next,
      batches: this.next - this.done.size,
      records: this.put.records - this.removed.records,
      bytes: this.put.bytes - this.removed.bytes,
      recordsPut: this.put.records,
      bytesPut: this.put.bytes,
      refused: this.refused,
    };
  }

  encode(): Uint8Array {
    const { kind, next, refused, put, removed, position, done } = this;
    const text = JSON.stringify({
      kind,
      next,
      refused,
      put,
      removed,
      done: done.toFlat(),
      ...(position && { position: Buffer.from(position).toString('base64') }),
    });
    return Buffer.from(text);
  }

  /** Errors: FLEETLOG_STORE where the record isn't one that `encode` makes. */
  static decode(stream: string, value: Uint8Array): StreamState {
    try {
      const stored = JSON.parse(Buffer.from(value).toString()) as {
        kind: StreamKind;
        next: number;
        refused: number;
        put: Totals;
        removed: Totals;
        done: number[];
        position?: string;
      };
      const state = new StreamState(stream, stored.kind);
      state.next = state.durableNext = stored.next;
      state.refused = stored.refused;
      Object.assign(state.put, stored.put);
      Object.assign(state.removed, stored.removed);
      state.done = RangeSet.fromFlat(stored.done);
      if (stored.position !== undefined) state.position = Buffer.from(stored.position, 'base64');
      return state;
    } catch (cause) {
      throw new FleetlogError(
        'FLEETLOG_STORE',
        `The buffer's record of stream ${stream} isn't readable; move the buffer folder aside and start again.`,
        { cause },
      );
    }
  }
}
