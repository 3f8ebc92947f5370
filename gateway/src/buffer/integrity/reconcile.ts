import { RangeSet } from '@fleetlog/shared/util';
import type { StoredBatches } from '../stored-batches.js';
import { StreamState } from '../stream-state.js';
import { isRescuedName, rescuedName } from './rescued-names.js';
import type { Mark, StreamMark } from './mark.js';
import type { Uncounted } from './wal-put-back.js';

export interface MissingTail {
  stream: string;
  first: number;
  last: number;
  /** -1 where nobody knows. */
  records: number;
}

/**
 * Compares what the database holds with the mark of the same life. Where the mark knows of more, the tail is lost: the
 * stream goes on behind it, since the cloud may hold it, with gap records for what isn't there.
 */
export async function accountForTail(
  states: Map<string, StreamState>,
  mark: Mark,
  boot: string,
  stored: StoredBatches,
  uncounted: Uncounted,
): Promise<MissingTail[]> {
  const missing: MissingTail[] = [];
  for (const [stream, marked] of Object.entries(mark.streams)) {
    let state = states.get(stream);
    if (state) state.lastTimeUs ??= marked.lastTimeUs;
    if (marked.next <= (state?.next ?? 0)) continue;
    if (!state) states.set(stream, (state = new StreamState(stream, marked.kind)));
    const present = uncounted.get(stream) ?? new RangeSet();
    const cause = mark.boot === boot ? 'corrupt' : 'power-cut';
    const before = state.next > 0 ? await stored.header(stream, state.next - 1) : undefined;
    const lost = lostRanges(state.next, marked, present);
    const records = lost.length === 1 && present.size === 0 ? marked.records - state.put.records : -1;
    for (const [first, last] of lost) {
      const lastTimeUs = marked.lastTimeUs ?? before?.lastTimeUs ?? 0;
      state.gaps.add({
        first,
        last,
        cause,
        detail: "These were durable, and weren't in the buffer's database when it was opened.",
        records,
        firstTimeUs: Math.min(before?.lastTimeUs ?? lastTimeUs, lastTimeUs),
        lastTimeUs,
      });
      missing.push({ stream, first, last, records });
    }
    let kept = { bytes: 0, records: 0 };
    for (const [first, last] of present) kept = sum(kept, await stored.range(stream, first, last));
    goOnBehind(state, marked, kept);
  }
  return missing;
}

/** Not done, not there. */
function lostRanges(from: number, marked: StreamMark, present: RangeSet): [number, number][] {
  const accounted = RangeSet.fromFlat(marked.done);
  for (const [first, last] of present) accounted.add(first, last);
  return [...accounted.holes(from, marked.next - 1)];
}

function goOnBehind(state: StreamState, marked: StreamMark, kept: { bytes: number; records: number }): void {
  state.removed.bytes += marked.bytes - state.put.bytes - kept.bytes;
  state.removed.records += marked.records - state.put.records - kept.records;
  state.put.bytes = marked.bytes;
  state.put.records = marked.records;
  for (const [first, last] of RangeSet.fromFlat(marked.done)) {
    if (last >= state.next) state.done.add(Math.max(first, state.next), last);
  }
  if (marked.position !== undefined) state.position = Buffer.from(marked.position, 'base64');
  state.next = marked.next;
  state.lastTimeUs = marked.lastTimeUs;
  state.dirty = state.gapsDirty = true;
}

/**
 * The database is a new one, and the mark is of an earlier life that left no folder to rescue anything from: all that
 * the cloud hadn't acknowledged is lost. Streams go on at the marked positions of their sources.
 */
export function accountForLife(states: Map<string, StreamState>, mark: Mark): MissingTail[] {
  const missing: MissingTail[] = [];
  for (const [stream, marked] of Object.entries(mark.streams)) {
    const name = isRescuedName(stream) ? stream : rescuedName(stream, mark.epoch);
    const lost = lostRanges(0, marked, new RangeSet());
    if (!isRescuedName(stream)) goOnAtPosition(states, stream, marked);
    if (lost.length === 0 || states.has(name)) continue;
    const state = new StreamState(name, marked.kind);
    for (const [first, last] of lost) {
      state.gaps.add({
        first,
        last,
        cause: 'corrupt',
        detail: "The folder of the buffer's database was gone.",
        records: first === 0 && last === marked.next - 1 ? marked.records : -1,
        firstTimeUs: marked.lastTimeUs ?? 0,
        lastTimeUs: marked.lastTimeUs ?? 0,
      });
      missing.push({ stream: name, first, last, records: -1 });
    }
    state.done = RangeSet.fromFlat(marked.done);
    state.next = marked.next;
    state.dirty = state.gapsDirty = true;
    states.set(name, state);
  }
  return missing;
}

/** A stream of a new life whose source goes on where it was. */
export function goOnAtPosition(
  states: Map<string, StreamState>,
  stream: string,
  { kind, position }: Pick<StreamMark, 'kind' | 'position'>,
): void {
  if (states.has(stream) || position === undefined) return;
  const state = new StreamState(stream, kind);
  state.position = Buffer.from(position, 'base64');
  state.dirty = true;
  states.set(stream, state);
}

const sum = (
  a: { bytes: number; records: number },
  b: { bytes: number; records: number } | undefined,
): { bytes: number; records: number } =>
  b ? { bytes: a.bytes + b.bytes, records: a.records + b.records } : a;
