import type { Logger } from '@fleetlog/shared/log';
import type { Clock, RangeSet } from '@fleetlog/shared/util';
import type { GivenUp } from './buffer.js';
import { decodeEntry } from './entry.js';
import type { GapSpan } from './gap-spans.js';
import type { GroupCommit } from './group-commit.js';
import { lostSpan } from './integrity/lost-span.js';
import { keys } from './keys.js';
import type { RefusedShelf } from './refused-shelf.js';
import type { StoredBatches } from './stored-batches.js';
import type { StreamState, Totals } from './stream-state.js';
import type { Rewrites } from './thinning/rewrites.js';
import { thinStored, thinStepBatches } from './thinning/thin-stored.js';

export interface RemovalParts {
  states: ReadonlyMap<string, StreamState>;
  stored: StoredBatches;
  /** Where refused batches are kept. */
  shelf: RefusedShelf;
  /** What is thinned, until it is durable. */
  rewrites: Rewrites;
  commits: GroupCommit;
  clock: Clock;
  logger: Logger;
  /** Something is held no more. */
  released: () => void;
  /** Throws where the buffer is closed. */
  checkOpen: () => void;
}

/** Batches tried at a time to find where a run of unreadable ones ends. */
const unreadableStep = 64;
const nothing: Totals = { bytes: 0, records: 0 };
/** Of a key, about. */
const keyBytes = 32;

/**
 * How batches leave the buffer: acknowledged, refused, given up, thinned. One after the other; each changes the state
 * of its stream at once, and goes to disk as a whole with the next commit.
 */
export class Removals {
  private turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly parts: RemovalParts) {}

  /** As `GatewayBuffer` says it. */
  acknowledge(stream: string, held: RangeSet): Promise<void> {
    return this.inTurn(async () => {
      const state = this.parts.states.get(stream);
      if (!state) return;
      for (const gap of state.newlyHeldGaps(held)) this.forgetGap(state, gap);
      for (const [first, last] of state.newlyHeld(held)) {
        this.forget(state, first, last, await this.totals(state, first, last));
      }
    });
  }

  /** As `GatewayBuffer` says it. */
  refuse(stream: string, sequence: number, reason: string): Promise<void> {
    const { states, stored, shelf, commits, clock } = this.parts;
    return this.inTurn(async () => {
      const state = states.get(stream);
      if (!state || sequence >= state.durableNext || state.done.has(sequence)) return;
      const gap = state.gaps.at(sequence);
      const totals = gap ? nothing : await this.totals(state, sequence, sequence);
      const [value] = await stored.values(stream, [sequence]);
      const aside = Buffer.from(
        JSON.stringify({
          reason,
          timeUs: clock.nowUs(),
          batch: value && Buffer.from(decodeEntry(value).batch).toString('base64'),
        }),
      );
      const keepAside = await shelf.add(stream, sequence, aside);
      // Both or neither: from here to the end nothing waits, so one commit takes all of it.
      state.refused++;
      if (gap) this.forgetGap(state, gap);
      else this.forget(state, sequence, sequence, totals);
      for (const operation of keepAside)
        commits.enqueue(operation, operation.type === 'put' ? aside.length : keyBytes);
    });
  }

  /** As `SpaceTarget` says it. */
  giveUp(
    stream: string,
    [first, last]: [number, number],
    why: Pick<GapSpan, 'cause' | 'detail'>,
  ): Promise<GivenUp | undefined> {
    const { states, stored, clock } = this.parts;
    return this.inTurn(async () => {
      const state = states.get(stream);
      const range = await stored.range(stream, first, last);
      const run = state?.oldestRun();
      if (!state || !run || first < run[0] || last > run[1]) return undefined;
      const batches = last - first + 1;
      // Where an end is damaged nobody knows what is between; the totals of the stream stay as they were.
      const { bytes, records, lowHeader, highHeader } = range ?? { bytes: 0, records: -1 };
      const thinned = range ? state.thinned.partOf(range) : { putBytes: 0, takenBytes: 0, takenRecords: 0 };
      state.removed.bytes += bytes;
      state.removed.records += Math.max(0, records);
      state.thinned.remove(thinned);
      state.toRemove.add(first, last);
      const known = lowHeader ?? highHeader;
      const nowUs = clock.nowUs();
      const times = [lowHeader ?? known, highHeader ?? known].flatMap((header) =>
        header
          ? [header.firstTimeUs, header.lastTimeUs, header.thinned?.lastTimeUs ?? header.lastTimeUs]
          : [nowUs],
      );
      const span = {
        first,
        last,
        ...why,
        records, // with what was taken out of them before: that is told by their headers no more
        firstTimeUs: Math.min(...times),
        lastTimeUs: Math.max(...times),
      };
      const given = {
        batches,
        records: records < 0 ? records : records - thinned.takenRecords,
        bytes: bytes - thinned.takenBytes,
      };
      this.addGap(state, span, given);
      return given;
    });
  }

  /** As `SpaceTarget` says it. */
  thin(stream: string, keepEachNth: number): Promise<GivenUp | undefined> {
    const { states, stored, rewrites, commits } = this.parts;
    return this.inTurn(async () => {
      const state = states.get(stream);
      const run = state?.oldestRun(state.thinned.next);
      if (!state || !run) return undefined;
      const [first, last] = run;
      const count = Math.min(last - first + 1, thinStepBatches);
      const sequences = Array.from({ length: count }, (_, i) => first + i);
      const values = await stored.values(stream, sequences);
      const before = { ...state.thinned.taken };
      // From here to the end nothing waits, so one commit takes the batches and the state of the stream.
      for (const [i, value] of values.entries()) {
        const thin = value && thinStored(state.thinned, sequences[i], value, keepEachNth);
        if (!thin) continue; // it doesn't read: whoever wants to send it sees to that
        rewrites.set(stream, sequences[i], thin);
        state.rewrittenBytes += thin.length;
        commits.enqueue({ type: 'put', key: keys.batch(stream, sequences[i]), value: thin }, thin.length);
      }
      state.thinned.next = first + count;
      state.dirty = true;
      commits.touch();
      const { batches, records, bytes } = state.thinned.taken;
      return {
        batches: batches - before.batches,
        records: records - before.records,
        bytes: bytes - before.bytes,
      };
    });
  }

  /** A gap record takes the place of batches that don't read back: nothing may wait for them for ever. */
  giveUpUnreadable(state: StreamState, first: number): Promise<void> {
    const { stored, commits, logger } = this.parts;
    return this.inTurn(async () => {
      const { stream, durableNext, next, put, lastTimeUs, counted } = state;
      const last = await this.lastUnreadable(state, first);
      if (last < first) return;
      const detail =
        last === first ? "It didn't read back from the buffer." : "They didn't read back from the buffer.";
      const end = { next: next === durableNext ? next : Infinity, records: put.records, lastTimeUs };
      const recordsBefore = counted?.next === first ? counted.records : undefined;
      const span = await lostSpan(stored, stream, [first, last], detail, end, recordsBefore);
      state.removed.records += Math.max(0, span.records);
      this.addGap(state, span, { batches: last - first + 1, records: span.records, bytes: 0 });
      commits.flush().catch(() => undefined); // logged where it fails
      logger.error(
        { stream, first, last, records: span.records },
        "Batches that were stored don't read back from the buffer; a gap record takes their place.",
      );
    });
  }

  /** What was given up at once, without ever being stored, or was marked for removal by the caller. */
  addGap(state: StreamState, span: GapSpan, given: GivenUp): void {
    state.gaps.add(span);
    state.givenUp.batches += given.batches;
    state.givenUp.records += Math.max(0, given.records);
    state.givenUp.bytes += given.bytes;
    state.dirty = state.gapsDirty = true;
    this.parts.commits.touch();
  }

  /** Resolves when all that was asked for until now is done. */
  async settled(): Promise<void> {
    await this.turn;
  }

  private async totals(state: StreamState, first: number, last: number): Promise<Totals> {
    const range = await this.parts.stored.range(state.stream, first, last);
    if (!range) return nothing; // damaged: the totals stay as they were
    state.counted = { next: last + 1, records: range.recordsUpTo };
    state.thinned.remove(state.thinned.partOf(range));
    return range;
  }

  private forgetGap(state: StreamState, gap: GapSpan): void {
    state.gaps.remove(gap);
    state.gapsDirty = true;
    this.forget(state, gap.first, gap.last, nothing);
  }

  /** Marks `first … last` as done, to be removed with the next commit. */
  private forget(state: StreamState, first: number, last: number, totals: Totals): void {
    state.removed.bytes += totals.bytes;
    state.removed.records += totals.records;
    state.done.add(first, last);
    state.toRemove.add(first, last);
    state.settle();
    state.dirty = true;
    this.parts.commits.touch();
    this.parts.released();
  }

  /** Of the run of unreadable batches that begins at `first`; before `first` where it reads by now. */
  private async lastUnreadable(state: StreamState, first: number): Promise<number> {
    for (let from = first; ;) {
      const sequences = state.unsent(from, unreadableStep);
      const values = await this.parts.stored.values(state.stream, sequences);
      for (const [i, value] of values.entries()) {
        if (value || sequences[i] !== from || state.gaps.at(from)) return from - 1;
        from++;
      }
      if (values.length === 0) return from - 1;
    }
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    this.parts.checkOpen();
    const done = this.turn.then(work);
    this.turn = done.catch(() => undefined);
    return done;
  }
}
