import { FleetlogError, isFleetlogError } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import { openRocksDb, type OrderedStore, type StoreOperation } from '@fleetlog/shared/store';
import { RangeSet, Signal, type Clock } from '@fleetlog/shared/util';
import type { SealedBatch } from '../sources/source.js';
import { BatchStamp } from './batch-stamp.js';
import type { BufferedBatch, BufferedStream, GatewayBuffer, GivenUp } from './buffer.js';
import type { ClockFacts } from './clock-facts.js';
import { decodeEntry, encodeEntry } from './entry.js';
import { GroupCommit, type Companions, type GroupCommitLimits } from './group-commit.js';
import { GapSpans, type GapSpan } from './gap-spans.js';
import { keys } from './keys.js';
import { readLife } from './life.js';
import { Ballast } from './space/ballast.js';
import type { Disk } from './space/disk.js';
import { SpaceKeeper, type SpaceState } from './space/keeper.js';
import type { SpaceLimits, StreamPolicy } from './space/limits.js';
import { spaceTargetOf } from './space/target-of.js';
import { StoredBatches } from './stored-batches.js';
import { StreamState, type Totals } from './stream-state.js';
import { bytesWritten, WriteBudget, type WriteState } from './write-budget.js';

export interface BufferOptions extends GroupCommitLimits {
  gateway: string;
  /** Folder of the buffer; made where it is missing. */
  path: string;
  /** Memory for batches before they go to a table file; large saves disk writes where the cloud keeps up. */
  writeBufferBytes: number;
  /** Bytes that the process may write to disk in a day, kept by rarer commits; undefined: no limit. */
  writeBytesPerDay?: number | undefined;
  /** Limits of the space that it takes, and what each stream is worth; without it there are none. */
  space?: SpaceOptions | undefined;
  clock: Clock;
  clockFacts: ClockFacts;
  logger: Logger;
}

interface SpaceOptions {
  limits: SpaceLimits;
  policyOf: (stream: string) => StreamPolicy;
  disk: Disk;
}

/** Opens the buffer in its folder. Errors: FLEETLOG_LOCKED, FLEETLOG_CONFIG, FLEETLOG_STORE, FLEETLOG_STORE_FULL. */
export async function openBuffer(options: BufferOptions): Promise<GatewayBuffer> {
  try {
    return await openBufferOn(await openStore(options), options);
  } catch (error) {
    if (!isFleetlogError(error, 'FLEETLOG_STORE_FULL') || !options.space) throw error;
    if (!(await ballastOf(options, options.space).release())) throw error;
    return openBufferOn(await openStore(options), options);
  }
}

const openStore = (options: BufferOptions): Promise<OrderedStore> =>
  openRocksDb({
    path: options.path,
    purpose: 'buffer folder',
    writeBufferBytes: options.writeBufferBytes,
    openFilesMax: 32,
    blockCache: false,
    blobs: { bytesMin: blobBytesMin, fileBytes: blobFileBytes(options.space?.limits.bytes) },
  });

/** Beside the folder, so that it is there whatever becomes of the database. */
const ballastOf = ({ path, logger }: BufferOptions, { limits }: SpaceOptions): Ballast =>
  new Ballast(`${path}.ballast`, limits.ballastBytes, logger);

/** Smaller ones cost less in the table, which compaction writes again and again, than as a part of a blob file. */
const blobBytesMin = 512;
const blobFilesMax = 1000;

/**
 * A write buffer becomes files in the order of keys: small ones hold a single stream mostly, and go as a whole when
 * that stream's oldest are given up. Their number is limited.
 */
const blobFileBytes = (limitBytes = 0): number => Math.max(1024 * 1024, Math.ceil(limitBytes / blobFilesMax));

/** As `openBuffer`, on a store that is open; the buffer closes it. */
export async function openBufferOn(store: OrderedStore, options: BufferOptions): Promise<GatewayBuffer> {
  try {
    const epoch = await readLife(store, options);
    const states = new Map<string, StreamState>();
    for await (const { key, value } of store.entries(keys.allMeta())) {
      const stream = Buffer.from(key).subarray(2, -1).toString('latin1');
      const state = StreamState.decode(stream, value);
      const gaps = await store.get(keys.gaps(stream));
      if (gaps) state.gaps = GapSpans.from(JSON.parse(Buffer.from(gaps).toString()) as GapSpan[]);
      states.set(stream, state);
    }
    return new RocksDbBuffer(store, epoch, states, options);
  } catch (error) {
    await store.close();
    throw error;
  }
}

const nothing: Totals = { bytes: 0, records: 0 };
/** Refused batches of a stream that are kept aside; of more, the newest. All are counted. */
export const refusedKeptMax = 256;
/** Totals of ranges don't go through gap records. */
const noEntry = { bytesBefore: 0, recordsBefore: 0, records: 0 };

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

  constructor(
    private readonly store: OrderedStore,
    readonly epoch: string,
    private readonly states: Map<string, StreamState>,
    private readonly options: BufferOptions,
  ) {
    const { clock, logger } = options;
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
      () => this.takeChanges(),
      clock,
      logger,
      async () => this.space?.diskFull(),
    );
    this.stamp = new BatchStamp(options.gateway, epoch, clock, options.clockFacts);
    const target = spaceTargetOf(states, store, this.stored, {
      giveUp: (stream, range, why) => this.giveUp(stream, range, why),
      flush: () => this.flush(),
    });
    this.space =
      options.space &&
      new SpaceKeeper(target, { ...options, ...options.space, ballast: ballastOf(options, options.space) });
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
      for (const [i, value] of (await this.stored.values(stream, sequences)).entries()) {
        const s = sequences[i];
        const lastSequence = gaps[i]?.last ?? s;
        if (value) batches.push({ stream, sequence: s, lastSequence, bytes: decodeEntry(value).batch });
        else if (!state.done.has(s) && !state.gaps.at(s)) this.reportUnreadable(stream, s);
      }
      from = (gaps.at(-1)?.last ?? sequences[sequences.length - 1]) + 1;
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
    await this.space?.close();
    await this.turn;
    try {
      await this.commits.close();
    } catch (error) {
      this.options.logger.error({ error: String(error) }, "The last batches weren't made durable.");
    } finally {
      this.durable.set();
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

  /** What goes into the same write as the batches queued: each changed stream's record, and what is removed. */
  private takeChanges(): Companions {
    const operations: StoreOperation[] = [];
    const durableAfter: { state: StreamState; next: number; gaps: GapSpan[] }[] = [];
    for (const state of this.states.values()) {
      if (!state.dirty) continue;
      for (const [first, last] of state.toRemove) {
        const { stream } = state;
        operations.push({
          type: 'delete-range',
          gte: keys.batch(stream, first),
          lt: keys.batch(stream, last + 1),
        });
      }
      const { spans: gaps, vacated } = state.gaps.takeChanges();
      for (const s of vacated) operations.push({ type: 'delete', key: keys.batch(state.stream, s) });
      for (const gap of gaps) {
        const value = encodeEntry({ ...noEntry, batch: this.stamp.gap(state, gap) });
        operations.push({ type: 'put', key: keys.batch(state.stream, gap.first), value });
      }
      if (state.gapsDirty) {
        const value = Buffer.from(JSON.stringify(state.gaps));
        operations.push({ type: 'put', key: keys.gaps(state.stream), value });
      }
      operations.push({ type: 'put', key: keys.meta(state.stream), value: state.encode() });
      durableAfter.push({ state, next: state.next, gaps });
      state.toRemove = new RangeSet();
      state.dirty = state.gapsDirty = false;
    }
    return {
      operations,
      durable: () => {
        for (const { state, next, gaps } of durableAfter) {
          state.durableNext = next;
          state.gaps.stored(gaps);
        }
        this.durable.set();
      },
    };
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    this.checkOpen();
    const done = this.turn.then(work);
    this.turn = done.catch(() => undefined);
    return done;
  }

  private reportUnreadable(stream: string, sequence: number): void {
    this.options.logger.error(
      { stream, sequence },
      "A batch that was stored doesn't read back from the buffer; it stays unacknowledged.",
    );
  }
}
