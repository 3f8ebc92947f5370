import { decodePlain, encodePlain, type StreamKind } from '@fleetlog/shared/batch';
import { FleetlogError } from '@fleetlog/shared/errors';
import { RangeSet } from '@fleetlog/shared/util';
import type { BufferedStream, GivenUp } from './buffer.js';
import type { streamMark } from './integrity/mark.js';
import { GapSpans, type GapSpan } from './gap-spans.js';
import { ThinnedPart } from './thinning/thinned-part.js';

/** Bytes and records. */
export interface Totals {
  bytes: number;
  records: number;
}

/**
 * What the buffer knows of one stream. All but `durableNext`, `toRemove` and `gaps` is stored in its meta record; the
 * gaps have one of their own, since they change seldom.
 */
export class StreamState {
  next = 0;
  durableNext = 0;
  refused = 0;
  /** Put since the epoch began, and of these removed; as they were when they were put. */
  readonly put: Totals = { bytes: 0, records: 0 };
  readonly removed: Totals = { bytes: 0, records: 0 };
  readonly givenUp: GivenUp = { batches: 0, records: 0, bytes: 0 };
  thinned = new ThinnedPart();
  /** Bytes of batches that were written anew in this life of the process. */
  rewrittenBytes = 0;
  position: Uint8Array | undefined;
  /** Acknowledged or refused: not to be sent again. */
  done = new RangeSet();
  /** Acknowledged, and still on disk. */
  toRemove = new RangeSet();
  /** Gap records that the cloud doesn't hold yet. */
  gaps = new GapSpans();
  /** `gaps` changed since they were last written. */
  gapsDirty = false;
  /** Largest event time that was put, µs; undefined where nobody put anything since the buffer was opened. */
  lastTimeUs: number | undefined;
  /** Records of all batches before sequence `next`, which left the buffer; not stored. */
  counted: { next: number; records: number } | undefined;
  /** What was durable when the meta record that this was read from was written: the commit before it. */
  durableBefore = 0;
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

  /** Bytes of the batches held. */
  get heldBytes(): number {
    return Math.max(0, this.put.bytes - this.removed.bytes - this.thinned.held.takenBytes);
  }

  /** Batches held, gap records included. */
  get heldBatches(): number {
    return this.next - this.done.size - this.gaps.covered(this.done) + this.gaps.count;
  }

  /** Durable sequences from `sequence` on that are to be sent, ascending, at most `limit`; of a gap its first. */
  unsent(sequence: number, limit: number): number[] {
    const found: number[] = [];
    if (sequence >= this.durableNext) return found;
    for (const [first, last] of this.done.holes(sequence, this.durableNext - 1)) {
      for (let s = first; s <= last; s++) {
        const gap = this.gaps.at(s);
        if (gap && gap.first < s) {
          s = gap.last;
          continue;
        }
        if (found.length === limit) return found;
        found.push(s);
        if (gap) s = gap.last;
      }
    }
    return found;
  }

  /** The first run of batches from `sequence` on that are durable and neither done nor given up. */
  oldestRun(sequence = 0): [number, number] | undefined {
    for (const run of this.done.holes(sequence, this.durableNext - 1)) {
      for (const part of this.withoutGaps(run)) return part;
    }
    return undefined;
  }

  /** Gap records that `held` covers wholly. One that it covers in part counts as not held: it is sent as a whole. */
  newlyHeldGaps(held: RangeSet): GapSpan[] {
    return [...this.gaps].filter((gap) => gap.last < this.durableNext && held.covers(gap.first, gap.last));
  }

  /** The batches of `held` that are durable here and neither done nor given up, as ranges. */
  newlyHeld(held: RangeSet): [number, number][] {
    const found: [number, number][] = [];
    for (const [first, last] of held) {
      for (const run of this.done.holes(first, Math.min(last, this.durableNext - 1))) {
        found.push(...this.withoutGaps(run));
      }
    }
    return found;
  }

  private *withoutGaps([first, last]: [number, number]): Generator<[number, number]> {
    let at = first;
    for (const gap of this.gaps) {
      if (gap.last < at) continue;
      if (gap.first > last) break;
      if (gap.first > at) yield [at, gap.first - 1];
      at = gap.last + 1;
    }
    if (at <= last) yield [at, last];
  }

  /** What damage has made of the totals is over when nothing is held any more. */
  settle(): void {
    if (!this.done.covers(0, this.next - 1)) return;
    Object.assign(this.removed, this.put);
    this.thinned.clear();
  }

  describe(): BufferedStream {
    return {
      stream: this.stream,
      kind: this.kind,
      first: this.first,
      durableNext: this.durableNext,
      next: this.next,
      batches: this.heldBatches,
      records: Math.max(0, this.put.records - this.removed.records - this.thinned.held.takenRecords),
      bytes: this.heldBytes,
      recordsPut: this.put.records,
      bytesPut: this.put.bytes,
      refused: this.refused,
      givenUp: { ...this.givenUp },
      thinned: { ...this.thinned.taken },
    };
  }

  /** What the high-water mark tells. */
  facts(): Omit<Parameters<typeof streamMark>[0], 'durableNext'> {
    const { kind, put, lastTimeUs, done, position } = this;
    return { kind, records: put.records, bytes: put.bytes, lastTimeUs, done, position };
  }

  encode(): Uint8Array {
    const { kind, next, durableNext, refused, put, removed, givenUp, done, position, thinned } = this;
    const row: MetaRow = [
      kind,
      next,
      durableNext,
      refused,
      [put.bytes, put.records],
      [removed.bytes, removed.records],
      [givenUp.batches, givenUp.records, givenUp.bytes],
      done.toFlat(),
      position ?? null,
      thinned.next > 0 ? JSON.stringify(thinned) : null,
    ];
    return encodePlain(row);
  }

  /** Errors: FLEETLOG_STORE where the record isn't one that `encode` makes. */
  static decode(stream: string, value: Uint8Array): StreamState {
    try {
      const row = decodePlain(value, { depthMax: 3, itemsMax: value.length }) as MetaRow | undefined;
      const [kind, next, durable, refused, put, removed, givenUp, done, position, thinned] =
        row ?? earlierRow(value);
      const state = new StreamState(stream, kind);
      state.next = state.durableNext = next;
      state.durableBefore = durable;
      state.refused = refused;
      [state.put.bytes, state.put.records] = put;
      [state.removed.bytes, state.removed.records] = removed;
      [state.givenUp.batches, state.givenUp.records, state.givenUp.bytes] = givenUp;
      if (thinned !== null) state.thinned = ThinnedPart.from(JSON.parse(thinned) as ThinnedPart);
      state.done = RangeSet.fromFlat(done);
      if (position) state.position = Buffer.from(position);
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

/** A meta record, as CBOR: without names, since each commit writes those of the streams that it changes. */
type MetaRow = [
  kind: StreamKind,
  next: number,
  durable: number,
  refused: number,
  put: [bytes: number, records: number],
  removed: [bytes: number, records: number],
  givenUp: [batches: number, records: number, bytes: number],
  done: number[],
  position: Uint8Array | null,
  /** JSON; seldom there. */
  thinned: string | null,
];

/** Of a meta record as it was written before: JSON with names. */
function earlierRow(value: Uint8Array): MetaRow {
  const meta = JSON.parse(Buffer.from(value).toString()) as {
    kind: StreamKind;
    next: number;
    durable?: number;
    refused: number;
    put: Totals;
    removed: Totals;
    givenUp?: GivenUp;
    thinned?: ThinnedPart;
    done: number[];
    position?: string;
  };
  const { kind, next, durable = 0, refused, put, removed, givenUp, done, position, thinned } = meta;
  const { batches = 0, records = 0, bytes = 0 } = givenUp ?? {};
  return [
    kind,
    next,
    durable,
    refused,
    [put.bytes, put.records],
    [removed.bytes, removed.records],
    [batches, records, bytes],
    done,
    position === undefined ? null : Buffer.from(position, 'base64'),
    thinned ? JSON.stringify(thinned) : null,
  ];
}
