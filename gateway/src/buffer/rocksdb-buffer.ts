import { FleetlogError } from '@fleetlog/shared/errors';
import type { OrderedStore } from '@fleetlog/shared/store';
import { Signal, type RangeSet } from '@fleetlog/shared/util';
import type { SealedBatch } from '../sources/source.js';
import { BatchStamp } from './batch-stamp.js';
import { ballastOf, type BufferOptions } from './buffer-options.js';
import type { BufferedBatch, BufferedStream, GatewayBuffer } from './buffer.js';
import { decodeEntry, encodeEntry } from './entry.js';
import { GroupCommit, type Companions } from './group-commit.js';
import { keys } from './keys.js';
import { CheckedStore } from './integrity/checked-store.js';
import { isRescuedName, rescuedEpoch } from './integrity/rescued-names.js';
import { streamMark, type MarkFile, type StreamMark } from './integrity/mark.js';
import { rescue, type RescueReport } from './integrity/rescue.js';
import { readLife } from './life.js';
import { refusedBytesMax, RefusedShelf } from './refused-shelf.js';
import { Removals } from './removals.js';
import { SpaceKeeper, type SpaceState } from './space/keeper.js';
import { spaceTargetOf } from './space/target-of.js';
import { StoredBatches } from './stored-batches.js';
import { readStates, takeChanges } from './stored-states.js';
import { StreamState } from './stream-state.js';
import { Rewrites } from './thinning/rewrites.js';
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

class RocksDbBuffer implements GatewayBuffer {
  private readonly commits: GroupCommit;
  private readonly stored: StoredBatches;
  private readonly stamp: BatchStamp;
  private readonly writes: WriteBudget;
  private readonly space: SpaceKeeper | undefined;
  private readonly durable = new Signal();
  private readonly rewrites = new Rewrites();
  private readonly removals: Removals;
  private closing: Promise<void> | undefined;
  private readonly stopping = new AbortController();
  /** What the mark says, or will say at the next commit, of each stream. */
  private readonly marked: Record<string, StreamMark> = {};
  private readonly rescuing: Promise<RescueReport | undefined>;
  /** Epochs of the folders that are being rescued; they stay where that failed, since the next start goes on. */
  private inRescue: string[] = [];

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
    this.stored = new StoredBatches(store, this.rewrites);
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
    this.removals = new Removals({
      states,
      stored: this.stored,
      shelf: new RefusedShelf(store, options.refusedBytes ?? refusedBytesMax),
      rewrites: this.rewrites,
      commits: this.commits,
      clock,
      logger,
      released: () => this.space?.release(),
      checkOpen: () => this.checkOpen(),
    });
    const target = spaceTargetOf(states, store, this.stored, {
      giveUp: (stream, range, why) => this.removals.giveUp(stream, range, why),
      thin: (stream, keepEachNth) => this.removals.thin(stream, keepEachNth),
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
      sync: () => this.flush(),
      begins: (epochs: string[]) => void (this.inRescue = epochs),
      activate: async (rescued: StreamState[]) => {
        for (const state of rescued) states.set(state.stream, state);
        await this.flush();
      },
    };
    try {
      const report = await rescue(parts, this.stopping.signal);
      this.inRescue = [];
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

  get earlierEpochs(): string[] {
    const epochs = new Set(this.inRescue);
    for (const { stream, heldBatches } of this.states.values()) {
      const epoch = rescuedEpoch(stream);
      if (epoch !== undefined && heldBatches > 0) epochs.add(epoch);
    }
    return [...epochs].sort();
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
      this.removals.addGap(state, span, { batches: 1, records: recordCount, bytes: payload.payload.length });
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
          if (batches.length === 0) await this.removals.giveUpUnreadable(state, s);
          break;
        }
        from = lastSequence + 1;
      }
    }
    return batches;
  }

  acknowledge(stream: string, held: RangeSet): Promise<void> {
    return this.removals.acknowledge(stream, held);
  }

  refuse(stream: string, sequence: number, reason: string): Promise<void> {
    return this.removals.refuse(stream, sequence, reason);
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
    await this.removals.settled();
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

  /** What goes into the same write as the batches queued. */
  private companions(): Companions {
    const { operations, changed } = takeChanges(this.states.values(), this.stamp);
    const rewritten = this.rewrites.written();
    return {
      operations,
      durable: () => {
        rewritten();
        for (const { state, next, gaps, marked } of changed) {
          state.durableNext = next;
          state.gaps.stored(gaps);
          this.marked[state.stream] = marked;
        }
        this.note(changed.map(({ state }) => state.stream));
        this.durable.set();
      },
    };
  }

  private note(changed: string[]): void {
    const { gateway, clockFacts } = this.options;
    this.mark?.note({ gateway, epoch: this.epoch, boot: clockFacts.boot, streams: this.marked }, changed);
  }

  /**
   * What waits in memory is lost with this database. Where its source can't give it again, the mark counts it, so that
   * the next opening makes gap records for it.
   */
  private broke(error: FleetlogError): void {
    const changed: string[] = [];
    for (const state of this.states.values()) {
      const { stream, next, durableNext, position } = state;
      if (position !== undefined || next === durableNext) continue;
      this.marked[stream] = streamMark({ ...state.facts(), durableNext: next });
      changed.push(stream);
    }
    this.note(changed);
    this.options.onBroken?.(error);
  }
}
