import { FleetlogError } from '@fleetlog/shared/errors';
import type { OrderedStore } from '@fleetlog/shared/store';
import { Signal, type RangeSet } from '@fleetlog/shared/util';
import type { SealedBatch } from '../sources/source.js';
import { BatchStamp } from './batch-stamp.js';
import { ballastOf, type BufferOptions } from './buffer-options.js';
import type { BufferedBatch, BufferedStream, GatewayBuffer, GivenUp } from './buffer.js';
import { decodeEntry, encodeEntry } from './entry.js';
import { GroupCommit, type Companions } from './group-commit.js';
import type { GapSpan } from './gap-spans.js';
import { keys } from './keys.js';
import { CheckedStore } from './integrity/checked-store.js';
import { isRescuedName } from './integrity/rescued-names.js';
import { lostSpan } from './integrity/lost-span.js';
import { streamMark, type MarkFile, type StreamMark } from './integrity/mark.js';
import { rescue, type RescueReport } from './integrity/rescue.js';
import { readLife } from './life.js';
import { SpaceKeeper, type SpaceState } from './space/keeper.js';
import { spaceTargetOf } from './space/target-of.js';
import { StoredBatches } from './stored-batches.js';
import { readStates, takeChanges } from './stored-states.js';
import { StreamState, type Totals } from './stream-state.js';
import { bytesWritten, WriteBudget, type WriteState } from './write-budget.js';

/** The buffer on a store that is open, and that it closes; without the care that `openBuffer` takes. */
export async function openBufferOn(plain: OrderedStore, options: BufferOptions): Promise<GatewayBuffer> {
  const store = new CheckedStore(plain);
  try {
    const epoch = await readLife(store, options);
    return bufferOf(store, epoch, await readStates(store), options);
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** `mark`: closed by the buffer, and written after each barrier. */
export function bufferOf(
  store: OrderedStore,
  epoch: string,
  states: Map<string, StreamState>,
  options: BufferOptions,
  mark?: MarkFile,
): GatewayBuffer {
  return new RocksDbBuffer(store, epoch, states, options, mark);
}

/** Batches tried at a time to find where a run of unreadable ones ends. */
const unreadableStep = 64;
const nothing: Totals = { bytes: 0, records: 0 };
/** Refused batches of a stream that are kept aside; of more, the newest. All are counted. */
export const refusedKeptMax = 256;
class RocksDbBuffer implements GatewayBuffer {
  private readonly commits: GroupCommit;
  private readonly stored: StoredBatches;
  private readonly stamp: BatchStamp;
  private readonly writes: WriteBudget;
  private readonly space: SpaceKeeper | undefined;
  private readonly durable = new Signal();
  /** Acknowledgements and refusals run one after the other. */
  private turn: Promise<unknown> = Promise.resolve();
  private closing: Promise<void> | undefined;
  private readonly stopping = new AbortController();
  /** What the mark says, or will say at the next commit, of each stream. */
  private readonly marked: Record<string, StreamMark> = {};
  private readonly rescuing: Promise<RescueReport | undefined>;

  constructor(
    private readonly store: OrderedStore,
    readonly epoch: string,
    private readonly states: Map<string, StreamState>,
    private readonly options: BufferOptions,
    private readonly mark: MarkFile | undefined,
  ) {
    const { clock, logger } = options;
    for (const { stream, gaps, done, next } of states.values()) {
      if (isRescuedName(stream) && gaps.count === 0 && done.covers(0, next - 1)) states.delete(stream);
    }
    this.stored = new StoredBatches(store);
    this.writes = new WriteBudget(
      { commitIntervalMs: options.commitIntervalMs, bytesPerDay: options.writeBytesPerDay },
      bytesWritten,
      clock,
      logger,
    );
    const { writes } = this;
    const { commitBytes, queueBytes } = options;
    this.commits = new GroupCommit(
      store,
      {
        get commitIntervalMs() {
          return writes.commitIntervalMs;
        },
        commitBytes,
        queueBytes,
      },
      () => this.companions(),
      clock,
      logger,
      async () => this.space?.diskFull(),
      (error) => this.broke(error),
    );
    this.stamp = new BatchStamp(options.gateway, epoch, clock, options.clockFacts);
    const target = spaceTargetOf(states, store, this.stored, {
      giveUp: (stream, range, why) => this.giveUp(stream, range, why),
      flush: () => this.flush(),
    });
    this.space =
      options.space &&
      new SpaceKeeper(target, { ...options, ...options.space, ballast: ballastOf(options, options.space) });
    for (const state of states.values()) {
      if (!state.dirty) this.marked[state.stream] = streamMark({ ...state.facts(), durableNext: state.next });
    }
    if ([...states.values()].some(({ dirty }) => dirty)) this.flush().catch(() => undefined); // logged where it fails
    this.rescuing = mark ? this.rescueOthers() : Promise.resolve(undefined);
    this.rescuing.catch(() => undefined); // told to those who wait for it
  }

  /** What earlier lives of this buffer left in folders that were moved aside becomes streams of their own here. */
  private async rescueOthers(): Promise<RescueReport | undefined> {
    const { states, store, stored, options } = this;
    const parts = {
      folder: options.path,
      ...options,
      store,
      stored,
      isActive: (stream: string) => states.has(stream),
      activate: async (rescued: StreamState[]) => {
        for (const state of rescued) states.set(state.stream, state);
        await this.flush();
      },
    };
    try {
      const report = await rescue(parts, this.stopping.signal);
      if (report) options.logger.warn(report, 'What could be read of a damaged buffer is rescued.');
      return report;
    } catch (error) {
      if (!this.closing) {
        options.logger.error(
          { error: String(error) },
          "The rescue of a damaged buffer isn't done; the next start goes on.",
        );
      }
      throw error;
    }
  }

  rescued(): Promise<RescueReport | undefined> {
    return this.rescuing;
  }

  get writeState(): WriteState {
    return this.writes.state;
  }

  get spaceState(): SpaceState | undefined {
    return this.space?.state();
  }

  streams(): BufferedStream[] {
    return [...this.states.values()].map((state) => state.describe());
  }

  async position(stream: string): Promise<Uint8Array | undefined> {
    return this.states.get(stream)?.position;
  }

  async put(stream: string, batch: SealedBatch): Promise<void> {
    this.checkOpen();
    const { payload, origin, position } = batch;
    const state = this.stateFor(stream, payload.kind);
    const { recordCount } = payload;
    const admission = this.space && (await this.space.admit(stream, payload.payload.length));
    if (admission) {
      this.checkOpen();
      const { next: sequence } = state;
      if (position) state.position = position;
      state.next++;
      const { firstTimeUs, lastTimeUs } = payload;
      const span = {
        first: sequence,
        last: sequence,
        ...admission,
        records: recordCount,
        firstTimeUs,
        lastTimeUs,
      };
      this.addGap(state, span, { batches: 1, records: recordCount, bytes: payload.payload.length });
      return;
    }
    const bytes = this.stamp.encode(state, {
      sequence: state.next,
      lastSequence: state.next,
      origin,
      ...payload,
      ...(batch.clock && { clock: batch.clock }),
    });
    const value = encodeEntry({
      bytesBefore: state.put.bytes,
      recordsBefore: state.put.records,
      records: recordCount,
      batch: bytes,
    });
    const key = keys.batch(stream, state.next);
    state.next++;
    state.put.bytes += bytes.length;
    state.put.records += recordCount;
    if (position) state.position = position;
    state.lastTimeUs = Math.max(state.lastTimeUs ?? payload.lastTimeUs, payload.lastTimeUs);
    state.dirty = true;
    this.commits.enqueue({ type: 'put', key, value }, value.length);
    await this.commits.room();
  }

  async read(stream: string, sequence: number, limit: number): Promise<BufferedBatch[]> {
    const state = this.states.get(stream);
    const batches: BufferedBatch[] = [];
    for (let from = sequence; state && batches.length === 0;) {
      this.checkOpen();
      const sequences = state.unsent(from, limit);
      if (sequences.length === 0) break;
      const gaps = sequences.map((s) => state.gaps.at(s));
      if (gaps.some((gap) => gap && !state.gaps.isStored(gap))) {
        await this.durable.wait();
        continue;
      }
      for (const gap of gaps) if (gap) state.gaps.markSent(gap);
      from = sequences[0];
      for (const [i, value] of (await this.stored.values(stream, sequences)).entries()) {
        const [s, gap] = [sequences[i], gaps[i]];
        const lastSequence = gap?.last ?? s;
        const bytes = value ? decodeEntry(value).batch : gap && this.stamp.gap(state, gap);
        if (bytes) batches.push({ stream, sequence: s, lastSequence, bytes });
        else if (!state.done.has(s) && !state.gaps.at(s)) {
          // What comes after it has to wait for the next call, so that nobody takes it for sent.
          if (batches.length === 0) await this.giveUpUnreadable(state, s);
          break;
        }
        from = lastSequence + 1;
      }
    }
    return batches;
  }

  acknowledge(stream: string, held: RangeSet): Promise<void> {
    return this.inTurn(async () => {
      const state = this.states.get(stream);
      if (!state) return;
      for (const gap of state.newlyHeldGaps(held)) this.forgetGap(state, gap);
      for (const [first, last] of state.newlyHeld(held)) {
        this.forget(state, first, last, await this.totals(stream, first, last));
      }
    });
  }

  refuse(stream: string, sequence: number, reason: string): Promise<void> {
    return this.inTurn(async () => {
      const state = this.states.get(stream);
      if (!state || sequence >= state.durableNext || state.done.has(sequence)) return;
      const gap = state.gaps.at(sequence);
      const totals = gap ? nothing : await this.totals(stream, sequence, sequence);
      const [stored] = await this.stored.values(stream, [sequence]);
      const tooMany = state.refused >= refusedKeptMax ? await this.oldestRefused(stream) : undefined;
      const value = Buffer.from(
        JSON.stringify({
          reason,
          timeUs: this.options.clock.nowUs(),
          batch: stored && Buffer.from(decodeEntry(stored).batch).toString('base64'),
        }),
      );
      // Both or neither: from here to the end nothing waits, so one commit takes all of it.
      state.refused++;
      if (gap) this.forgetGap(state, gap);
      else this.forget(state, sequence, sequence, totals);
      this.commits.enqueue({ type: 'put', key: keys.refused(stream, sequence), value }, value.length);
      if (tooMany) this.commits.enqueue({ type: 'delete', key: tooMany }, tooMany.length);
    });
  }

  moreDurable(signal: AbortSignal): Promise<void> {
    return this.durable.wait(signal);
  }

  flush(): Promise<void> {
    return this.commits.flush();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return (this.closing ??= this.close());
  }

  private async close(): Promise<void> {
    this.stopping.abort();
    await this.space?.close();
    await this.rescuing.catch(() => undefined);
    await this.turn;
    try {
      await this.commits.close();
    } catch (error) {
      this.options.logger.error({ error: String(error) }, "The last batches weren't made durable.");
    } finally {
      this.durable.set();
      await this.mark?.[Symbol.asyncDispose]();
      await this.store.close();
    }
  }

  private checkOpen(): void {
    if (this.closing) throw new FleetlogError('FLEETLOG_INTERRUPTED', 'The buffer is closed.');
  }

  private stateFor(stream: string, kind: StreamState['kind']): StreamState {
    let state = this.states.get(stream);
    if (!state) {
      state = new StreamState(stream, kind);
      this.states.set(stream, state);
    }
    if (state.kind !== kind) {
      throw new FleetlogError(
        'FLEETLOG_CONFIG',
        `The stream "${stream}" holds ${state.kind} in this buffer, and its source gives ${kind}; ` +
          'give the source a stream name of its own.',
      );
    }
    return state;
  }

  private async oldestRefused(stream: string): Promise<Uint8Array | undefined> {
    const options = { limit: 1, keysOnly: true };
    for await (const { key } of this.store.entries(keys.allRefused(stream), options)) return key;
    return undefined;
  }

  private async totals(stream: string, first: number, last: number): Promise<Totals> {
    return (await this.stored.range(stream, first, last)) ?? nothing; // damaged: the totals stay as they were
  }

  private forgetGap(state: StreamState, gap: GapSpan): void {
    state.gaps.remove(gap);
    state.gapsDirty = true;
    this.forget(state, gap.first, gap.last, nothing);
  }

  private addGap(state: StreamState, span: GapSpan, given: GivenUp): void {
    state.gaps.add(span);
    state.givenUp.batches += given.batches;
    state.givenUp.records += Math.max(0, given.records);
    state.givenUp.bytes += given.bytes;
    state.dirty = state.gapsDirty = true;
    this.commits.touch();
  }

  /** As `SpaceTarget` says it. */
  private giveUp(
    stream: string,
    [first, last]: [number, number],
    why: Pick<GapSpan, 'cause' | 'detail'>,
  ): Promise<GivenUp | undefined> {
    return this.inTurn(async () => {
      const state = this.states.get(stream);
      const range = await this.stored.range(stream, first, last);
      const run = state?.oldestRun();
      if (!state || !run || first < run[0] || last > run[1]) return undefined;
      const batches = last - first + 1;
      // Where an end is damaged nobody knows what is between; the totals of the stream stay as they were.
      const { bytes, records, lowHeader, highHeader } = range ?? { bytes: 0, records: -1 };
      state.removed.bytes += bytes;
      state.removed.records += Math.max(0, records);
      state.toRemove.add(first, last);
      const known = lowHeader ?? highHeader;
      const nowUs = this.options.clock.nowUs();
      const times = [lowHeader ?? known, highHeader ?? known].flatMap((header) =>
        header ? [header.firstTimeUs, header.lastTimeUs] : [nowUs],
      );
      const span = {
        first,
        last,
        ...why,
        records,
        firstTimeUs: Math.min(...times),
        lastTimeUs: Math.max(...times),
      };
      this.addGap(state, span, { batches, records, bytes });
      return { batches, records, bytes };
    });
  }

  /** Marks `first … last` as done, to be removed with the next commit. */
  private forget(state: StreamState, first: number, last: number, totals: Totals): void {
    state.removed.bytes += totals.bytes;
    state.removed.records += totals.records;
    state.done.add(first, last);
    state.toRemove.add(first, last);
    state.dirty = true;
    this.commits.touch();
    this.space?.release();
  }

  /** What goes into the same write as the batches queued. */
  private companions(): Companions {
    const { operations, changed } = takeChanges(this.states.values(), this.stamp);
    return {
      operations,
      durable: () => {
        for (const { state, next, gaps, marked } of changed) {
          state.durableNext = next;
          state.gaps.stored(gaps);
          this.marked[state.stream] = marked;
        }
        this.note();
        this.durable.set();
      },
    };
  }

  private note(): void {
    const { gateway, clockFacts } = this.options;
    this.mark?.note({ gateway, epoch: this.epoch, boot: clockFacts.boot, streams: this.marked });
  }

  /**
   * What waits in memory is lost with this database. Where its source can't give it again, the mark counts it, so that
   * the next opening makes gap records for it.
   */
  private broke(error: FleetlogError): void {
    for (const state of this.states.values()) {
      const { stream, next, durableNext, position } = state;
      if (position !== undefined || next === durableNext) continue;
      this.marked[stream] = streamMark({ ...state.facts(), durableNext: next });
    }
    this.note();
    this.options.onBroken?.(error);
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    this.checkOpen();
    const done = this.turn.then(work);
    this.turn = done.catch(() => undefined);
    return done;
  }

  /** A gap record takes the place of batches that don't read back: nothing may wait for them for ever. */
  private giveUpUnreadable(state: StreamState, first: number): Promise<void> {
    return this.inTurn(async () => {
      const { stream, durableNext, next, put, lastTimeUs } = state;
      const last = await this.lastUnreadable(state, first);
      if (last < first) return;
      const detail =
        last === first ? "It didn't read back from the buffer." : "They didn't read back from the buffer.";
      const end = { next: next === durableNext ? next : Infinity, records: put.records, lastTimeUs };
      const span = await lostSpan(this.stored, stream, [first, last], detail, end);
      state.removed.records += Math.max(0, span.records);
      this.addGap(state, span, { batches: last - first + 1, records: span.records, bytes: 0 });
      this.flush().catch(() => undefined); // logged where it fails
      this.options.logger.error(
        { stream, first, last, records: span.records },
        "Batches that were stored don't read back from the buffer; a gap record takes their place.",
      );
    });
  }

  /** Of the run of unreadable batches that begins at `first`; before `first` where it reads by now. */
  private async lastUnreadable(state: StreamState, first: number): Promise<number> {
    for (let from = first; ;) {
      const sequences = state.unsent(from, unreadableStep);
      const values = await this.stored.values(state.stream, sequences);
      for (const [i, value] of values.entries()) {
        if (value || sequences[i] !== from || state.gaps.at(from)) return from - 1;
        from++;
      }
      if (values.length === 0) return from - 1;
    }
  }
}
