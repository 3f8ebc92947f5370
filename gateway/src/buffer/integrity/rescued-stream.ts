import type { BatchHeader, StreamKind } from '@fleetlog/shared/batch';
import { prefixRange, readInteger, type OrderedStore } from '@fleetlog/shared/store';
import { RangeSet } from '@fleetlog/shared/util';
import type { GapSpan } from '../gap-spans.js';
import { decodeEntry } from '../entry.js';
import { keys } from '../keys.js';
import type { StoredBatches } from '../stored-batches.js';
import { StreamState } from '../stream-state.js';
import { ThinnedPart } from '../thinning/thinned-part.js';
import { lostSpan } from './lost-span.js';
import type { StreamMark } from './mark.js';

interface BuiltStream {
  state: StreamState;
  batches: number;
  records: number;
  lost: number;
}

/** Gathers what is known of one stream of an earlier life, until all its files are read. */
export class RescuedStream {
  private kind: StreamKind | undefined;
  private next = 0;
  /** The source goes on at what was marked, and gives what came after again. */
  private end = Infinity;
  private readonly done = new RangeSet();
  private totals = { records: 0, bytes: 0 };
  private lastTimeUs: number | undefined;
  private readonly gaps = new Map<number, GapSpan>();
  private gapsChanged = false;

  constructor(readonly name: string) {}

  expect({ kind, next, done, records, bytes, lastTimeUs, position }: StreamMark): void {
    this.kind = kind;
    this.next = Math.max(this.next, next);
    if (position !== undefined) this.end = next;
    for (const [first, last] of RangeSet.fromFlat(done)) this.done.add(first, last);
    this.totals = { records, bytes };
    this.lastTimeUs = lastTimeUs;
  }

  learn(state: StreamState): void {
    this.kind ??= state.kind;
    for (const [first, last] of state.done) this.done.add(first, last);
    if (state.next <= this.next || state.next > this.end) return;
    this.next = state.next;
    this.totals = { ...state.put };
  }

  wants({ lastSequence }: BatchHeader): boolean {
    return lastSequence < this.end && !this.done.has(lastSequence);
  }

  found({ kind, lastSequence }: BatchHeader, gap: GapSpan | undefined): void {
    this.kind ??= kind;
    this.next = Math.max(this.next, lastSequence + 1);
    if (!gap || gap.last <= (this.gaps.get(gap.first)?.last ?? -1)) return;
    this.gaps.set(gap.first, gap);
    this.gapsChanged = true;
  }

  /** Gap records found so far, where there are more than at the last call. */
  changedGaps(): GapSpan[] | undefined {
    if (!this.gapsChanged) return undefined;
    this.gapsChanged = false;
    return [...this.gaps.values()];
  }

  /** The stream as it will be sent; undefined where all of it was acknowledged. */
  async build(store: OrderedStore, stored: StoredBatches): Promise<BuiltStream | undefined> {
    const { name, next, kind } = this;
    if (kind === undefined || this.done.covers(0, next - 1) || next === 0) return undefined;
    const saved = await store.get(keys.gaps(name));
    for (const gap of saved ? (JSON.parse(Buffer.from(saved).toString()) as GapSpan[]) : []) {
      if (gap.last > (this.gaps.get(gap.first)?.last ?? -1)) this.gaps.set(gap.first, gap);
    }
    const state = new StreamState(name, kind);
    state.next = next;
    state.lastTimeUs = this.lastTimeUs;
    state.dirty = state.gapsDirty = true;
    for (const [first, last] of this.done) {
      state.done.add(first, Math.min(last, next - 1));
      state.toRemove.add(first, Math.min(last, next - 1));
    }
    const explained = new RangeSet(state.done);
    for (const gap of [...this.gaps.values()].sort((a, b) => a.first - b.first)) {
      if (explained.intersects(gap.first, gap.last)) continue;
      explained.add(gap.first, gap.last);
      state.gaps.add(gap);
    }
    const held = await this.heldBesides(store, explained);
    let lost = 0;
    for (const [first, last] of held.accounted.holes(0, next - 1)) {
      const detail = 'These were in a damaged buffer and could not be read.';
      state.gaps.add(
        await lostSpan(stored, name, [first, last], detail, {
          ...this.totals,
          next,
          lastTimeUs: this.lastTimeUs,
        }),
      );
      lost += last - first + 1;
    }
    const totals = await this.totalsOf(stored, held.batches);
    Object.assign(state.put, this.totals.records >= totals.records ? this.totals : totals);
    state.removed.bytes = state.put.bytes - totals.bytes;
    state.removed.records = state.put.records - totals.records;
    state.thinned = await thinnedOf(stored, name, held.batches);
    return { state, batches: held.batches.size, records: totals.records, lost };
  }

  private async heldBesides(
    store: OrderedStore,
    explained: RangeSet,
  ): Promise<{ batches: RangeSet; accounted: RangeSet }> {
    const batches = new RangeSet();
    const accounted = new RangeSet(explained);
    const range = prefixRange(keys.batch(this.name, 0).subarray(0, -8));
    for await (const { key } of store.entries(range, { keysOnly: true, prefetch: 1024 })) {
      const sequence = readInteger(key, key.length - 8);
      if (explained.has(sequence)) continue;
      batches.add(sequence);
      accounted.add(sequence);
    }
    return { batches, accounted };
  }

  private async totalsOf(
    stored: StoredBatches,
    batches: RangeSet,
  ): Promise<{ records: number; bytes: number }> {
    const totals = { records: 0, bytes: 0 };
    for (const [first, last] of batches) {
      const range = await stored.range(this.name, first, last);
      totals.records += range?.records ?? 0;
      totals.bytes += range?.bytes ?? 0;
    }
    return totals;
  }
}

/** Batches looked at together. */
const lookStep = 64;

/** What thinning has passed: the oldest, up to a stretch in which there is none. */
async function thinnedOf(stored: StoredBatches, stream: string, batches: RangeSet): Promise<ThinnedPart> {
  const part = new ThinnedPart();
  for (const [first, last] of batches) {
    for (let from = first; from <= last; from += lookStep) {
      const count = Math.min(lookStep, last + 1 - from);
      const sequences = Array.from({ length: count }, (_, i) => from + i);
      let found = false;
      for (const [i, value] of (await stored.values(stream, sequences)).entries()) {
        const entry = value && decodeEntry(value);
        if (!entry?.taken) continue;
        found = true;
        part.pass(sequences[i], entry.bytesBefore, entry.batch.length + entry.taken.bytes, entry.taken);
      }
      if (!found) return part;
    }
  }
  return part;
}
