import { encodeBatch, isLifeId } from '@fleetlog/shared/batch';
import { FleetlogError, isFleetlogError } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import { openRocksDb, type OrderedStore, type StoreOperation } from '@fleetlog/shared/store';
import { newEpoch, RangeSet, Signal, type Clock } from '@fleetlog/shared/util';
import type { SealedBatch } from '../sources/source.js';
import type { BufferedBatch, BufferedStream, GatewayBuffer } from './buffer.js';
import type { ClockFacts } from './clock-facts.js';
import { decodeEntry, encodeEntry } from './entry.js';
import { GroupCommit, type Companions, type GroupCommitLimits } from './group-commit.js';
import { keys } from './keys.js';
import { StreamState, type Totals } from './stream-state.js';

export interface BufferOptions extends GroupCommitLimits {
  gateway: string;
  /** Folder of the buffer; made where it is missing. */
  path: string;
  /** Memory for batches before they go to a table file; large saves disk writes where the cloud keeps up. */
  writeBufferBytes: number;
  clock: Clock;
  clockFacts: ClockFacts;
  logger: Logger;
}

/** Opens the buffer in its folder. Errors: FLEETLOG_LOCKED, FLEETLOG_CONFIG, FLEETLOG_STORE, FLEETLOG_STORE_FULL. */
export async function openBuffer(options: BufferOptions): Promise<GatewayBuffer> {
  const store = await openRocksDb({
    path: options.path,
    purpose: 'buffer folder',
    writeBufferBytes: options.writeBufferBytes,
    openFilesMax: 32,
    blockCache: false,
  });
  return openBufferOn(store, options);
}

/** As `openBuffer`, on a store that is open; the buffer closes it. */
export async function openBufferOn(store: OrderedStore, options: BufferOptions): Promise<GatewayBuffer> {
  try {
    const epoch = await readLife(store, options);
    const states = new Map<string, StreamState>();
    for await (const { key, value } of store.entries(keys.allMeta())) {
      const stream = Buffer.from(key).subarray(2, -1).toString('latin1');
      states.set(stream, StreamState.decode(stream, value));
    }
    return new RocksDbBuffer(store, epoch, states, options);
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** The epoch of this folder; a new one, durable before it is used, where the folder is new. */
async function readLife(store: OrderedStore, { gateway, path }: BufferOptions): Promise<string> {
  const stored = await store.get(keys.life());
  if (!stored) {
    const epoch = newEpoch();
    const value = Buffer.from(JSON.stringify({ version: 1, epoch, gateway }));
    await store.write([{ type: 'put', key: keys.life(), value }]);
    await store.sync();
    return epoch;
  }
  const life = JSON.parse(Buffer.from(stored).toString()) as Record<string, unknown>;
  if (life.version !== 1 || !isLifeId(life.epoch)) {
    throw new FleetlogError(
      'FLEETLOG_CONFIG',
      `The buffer folder ${path} was written by another version of Fleetlog; update this one, or move the folder aside.`,
    );
  }
  if (life.gateway !== gateway) {
    throw new FleetlogError(
      'FLEETLOG_CONFIG',
      `The buffer folder ${path} belongs to the gateway "${String(life.gateway)}", not to "${gateway}"; ` +
        'choose another folder with "data", or that id with "gateway".',
    );
  }
  return life.epoch;
}

class RocksDbBuffer implements GatewayBuffer {
  private readonly commits: GroupCommit;
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
    this.commits = new GroupCommit(store, options, () => this.takeChanges(), clock, logger);
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
    const bytes = encodeBatch(
      {
        gateway: this.options.gateway,
        epoch: this.epoch,
        boot: this.options.clockFacts.boot,
        stream,
        kind: payload.kind,
        sequence: state.next,
        lastSequence: state.next,
        firstTimeUs: payload.firstTimeUs,
        lastTimeUs: payload.lastTimeUs,
        recordCount: payload.recordCount,
        storeTimeUs: this.options.clock.nowUs(),
        clock: this.options.clockFacts.read(),
        origin,
        codec: payload.codec,
        rawBytes: payload.rawBytes,
      },
      payload.payload,
    );
    const value = encodeEntry({
      bytesBefore: state.put.bytes,
      recordsBefore: state.put.records,
      records: payload.recordCount,
      batch: bytes,
    });
    const key = keys.batch(stream, state.next);
    state.next++;
    state.put.bytes += bytes.length;
    state.put.records += payload.recordCount;
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
      for (const [i, value] of (await this.values(stream, sequences)).entries()) {
        const s = sequences[i];
        if (value) batches.push({ stream, sequence: s, lastSequence: s, bytes: decodeEntry(value).batch });
        else if (!state.done.has(s)) this.reportUnreadable(stream, s);
      }
      from = sequences[sequences.length - 1] + 1;
    }
    return batches;
  }

  acknowledge(stream: string, held: RangeSet): Promise<void> {
    return this.inTurn(async () => {
      const state = this.states.get(stream);
      if (!state) return;
      for (const [first, last] of state.newlyHeld(held)) {
        this.forget(state, first, last, await this.totals(stream, first, last));
      }
    });
  }

  refuse(stream: string, sequence: number, reason: string): Promise<void> {
    return this.inTurn(async () => {
      const state = this.states.get(stream);
      if (!state || sequence >= state.durableNext || state.done.has(sequence)) return;
      const totals = await this.totals(stream, sequence, sequence);
      const [stored] = await this.values(stream, [sequence]);
      const value = Buffer.from(
        JSON.stringify({
          reason,
          timeUs: this.options.clock.nowUs(),
          batch: stored && Buffer.from(decodeEntry(stored).batch).toString('base64'),
        }),
      );
      // Both or neither: from here to the end nothing waits, so one commit takes all of it.
      state.refused++;
      this.forget(state, sequence, sequence, totals);
      this.commits.enqueue({ type: 'put', key: keys.refused(stream, sequence), value }, value.length);
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
    await this.turn;
    try {
      await this.commits.close();
    } catch (error) {
      this.options.logger.error({ error: String(error) }, "The last batches weren't made durable.");
    } finally {
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

  /** Bytes and records of the stored batches `first … last`. */
  private async totals(stream: string, first: number, last: number): Promise<Totals> {
    const values = await this.values(stream, [first, last]);
    const [low, high] = values.map((value) => value && decodeEntry(value));
    if (!low || !high) return { bytes: 0, records: 0 }; // damaged: the totals stay as they were
    return {
      bytes: high.bytesBefore + high.batch.length - low.bytesBefore,
      records: high.recordsBefore + high.records - low.recordsBefore,
    };
  }

  /** Marks `first … last` as done, to be removed with the next commit. */
  private forget(state: StreamState, first: number, last: number, totals: Totals): void {
    state.removed.bytes += totals.bytes;
    state.removed.records += totals.records;
    state.done.add(first, last);
    state.toRemove.add(first, last);
    state.dirty = true;
    this.commits.touch();
  }

  /** What goes into the same write as the batches queued: each changed stream's record, and what is removed. */
  private takeChanges(): Companions {
    const operations: StoreOperation[] = [];
    const durableAfter: [StreamState, number][] = [];
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
      operations.push({ type: 'put', key: keys.meta(state.stream), value: state.encode() });
      durableAfter.push([state, state.next]);
      state.toRemove = new RangeSet();
      state.dirty = false;
    }
    return {
      operations,
      durable: () => {
        for (const [state, next] of durableAfter) state.durableNext = next;
        this.durable.set();
      },
    };
  }

  private inTurn(work: () => Promise<void>): Promise<void> {
    this.checkOpen();
    const done = this.turn.then(work);
    this.turn = done.catch(() => undefined);
    return done;
  }

  /** Stored values; undefined for those that are damaged, so that one bad block doesn't hold up all the others. */
  private async values(stream: string, sequences: number[]): Promise<(Uint8Array | undefined)[]> {
    const wanted = sequences.map((sequence) => keys.batch(stream, sequence));
    try {
      return await this.store.getMany(wanted);
    } catch (error) {
      if (!isFleetlogError(error, 'FLEETLOG_STORE')) throw error;
      return Promise.all(wanted.map((key) => this.store.get(key).catch(() => undefined)));
    }
  }

  private reportUnreadable(stream: string, sequence: number): void {
    this.options.logger.error(
      { stream, sequence },
      "A batch that was stored doesn't read back from the buffer; it stays unacknowledged.",
    );
  }
}
