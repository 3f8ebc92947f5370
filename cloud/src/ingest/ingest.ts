import type { BatchIdentity } from '@fleetlog/shared/batch';
import { FleetlogError, isDataError, isFleetlogError, type ErrorCode } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import { Signal, type Clock, type RangeSet } from '@fleetlog/shared/util';
import type { IngestLog } from '../log/log.js';
import type { AckSink } from './acks.js';
import { checkBatch } from './check.js';
import type { Fleet, GatewayPresence, HeldSequences, IngestCounters } from './fleet.js';
import { CommitGroup } from './group.js';
import { announcedKey, HeldCache, heldKey, heldLimits, heldSequences, type HeldLimits } from './held.js';
import type { DiskGuard } from '../storage/disk-guard.js';
import { nameLimits, NewStreams, type NameLimits } from './new-streams.js';
import { Presences } from './presences.js';
import { ArrivalQueue, type Arrival, type QueueLimits } from './queue.js';
import { Refusals } from './refusals.js';

export interface IngestOptions {
  log: IngestLog;
  logger: Logger;
  clock: Clock;
  queue: QueueLimits;
  held?: HeldLimits;
  names?: NameLimits;
  /** Set when `takes` turns true; its own where none is given. */
  readable?: Signal;
  /** Where it is given, nothing is committed while it is full. */
  room?: Pick<DiskGuard, 'isFull' | 'whenRoom'>;
}

/** One write of the log at most, so that its barrier doesn't keep the others waiting for long. */
const groupBytesMax = 8 * 1024 * 1024;
const retryMsMin = 100;
const retryMsMax = 5000;
/**
 * A queue that stays full for so long isn't short of a moment but of a disk. From then on messages are read and
 * dropped, so that connections stay alive; what waits in the queue goes into the log as soon as that works again.
 */
const stalledMs = 5000;
/** A log that takes nothing doesn't keep the process from ending. */
const drainMsMax = 2500;

/**
 * Takes gateways' messages into the log: check → drop what the log holds → append → acknowledge.
 *
 * While one append is under way, arrivals collect for the next: groups grow with the load, without a timer. The held
 * ranges change in the same write as the batches, so that each sequence is in the log once whenever the process dies.
 *
 * A gap record that covers sequences which the log holds in part is appended whole: it explains those that are
 * missing. A batch that comes after the gap record that gave it up counts as held, and is dropped.
 */
export class Ingest implements Fleet, AsyncDisposable {
  /** Set when `takes` turns true. */
  readonly readable: Signal;
  readonly counters: IngestCounters;
  private readonly queue: ArrivalQueue;
  private readonly limits: HeldLimits;
  private readonly cache: HeldCache;
  private readonly refusals: Refusals;
  private readonly newStreams: NewStreams;
  private readonly arrived = new Signal();
  private readonly closing = new AbortController();
  private fullSinceUs: number | undefined;
  private running: Promise<void> | undefined;
  private watching: Promise<void> | undefined;

  private constructor(
    private readonly options: IngestOptions,
    private readonly presences: Presences,
  ) {
    const { log, logger, clock, queue, held = heldLimits, names = nameLimits } = options;
    this.readable = options.readable ?? new Signal();
    this.queue = new ArrivalQueue(queue);
    this.limits = held;
    this.cache = new HeldCache(log, held);
    this.refusals = new Refusals(logger, clock);
    this.newStreams = new NewStreams(names.newStreamsPerDay, clock);
    const refused = this.refusals.byCode;
    this.counters = { batches: 0, records: 0, bytes: 0, duplicates: 0, putOff: 0, refused };
  }

  static async open(options: IngestOptions): Promise<Ingest> {
    const { gatewaysMax } = options.names ?? nameLimits;
    return new Ingest(options, await Presences.load(options.log, gatewaysMax));
  }

  /** Begins to commit; acknowledgements go to `sink`. */
  start(sink: AckSink): void {
    this.running ??= this.run(sink);
  }

  /** Whether more may be read from gateways; the caller looks before it reads, and waits for `readable`. */
  get takes(): boolean {
    return this.queue.hasRoom || this.isStalled;
  }

  /** Whether something isn't acknowledged that the log could take. */
  get isBusy(): boolean {
    return !this.queue.isIdle && this.options.room?.isFull !== true;
  }

  /** A message on `up/{stream}` below the prefix of the gateway whose connection it came on. */
  batch(gateway: string, stream: string, bytes: Uint8Array, isImport = false): void {
    if (!this.admits() || !this.knows(gateway)) return;
    this.presences.seen(gateway, this.options.clock.nowUs(), isImport);
    const check = checkBatch(gateway, stream, bytes);
    if (check.error === undefined) {
      const batch = check.header;
      this.push({ type: 'batch', key: heldKey(batch), batch, bytes, isImport });
      return;
    }
    const { error, batch } = check;
    this.refuse(error.code, error.message, { gateway, stream, sequence: batch?.sequence });
    if (batch) this.push({ type: 'refused', key: heldKey(batch), batch, error });
  }

  /**
   * A message on `status` of the gateway whose connection it came on; its last will comes here as well. False for one
   * that makes no sense.
   */
  status(gateway: string, message: Uint8Array): boolean {
    if (!this.admits() || !this.knows(gateway)) return true;
    try {
      const notes = this.presences.update(gateway, message, this.options.clock.nowUs());
      for (const note of notes) this.push({ type: 'status', ...note });
      return true;
    } catch (error) {
      if (!isDataError(error)) throw error;
      this.refuse(error.code, error.message, { gateway });
      return false;
    }
  }

  /** Counts what was refused before it came here. */
  refuse(code: ErrorCode, message: string, facts: object): void {
    this.refusals.count(code, message, facts);
  }

  held(filter?: { gateway?: string; stream?: string }): AsyncIterable<HeldSequences> {
    return heldSequences(this.options.log, filter);
  }

  presence(): GatewayPresence[] {
    return this.presences.all();
  }

  /** Takes nothing more, commits and acknowledges what waits, and ends. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.closing.abort(new FleetlogError('FLEETLOG_INTERRUPTED', 'The cloud is stopping.'));
    this.arrived.set();
    const late = new AbortController();
    const tooLate = this.options.clock.sleep(drainMsMax, late.signal).catch(() => undefined);
    await Promise.race([this.running, tooLate]);
    late.abort();
  }

  private get isStalled(): boolean {
    const nowUs = this.options.clock.monotonicUs();
    return this.fullSinceUs !== undefined && nowUs - this.fullSinceUs >= stalledMs * 1000;
  }

  /** What a connection has read already is taken, also over the limit; but not where the queue has stalled. */
  private admits(): boolean {
    if (this.closing.signal.aborted) return false;
    if (this.queue.hasRoom || !this.isStalled) return true;
    this.counters.putOff++;
    return false;
  }

  private knows(gateway: string): boolean {
    if (this.presences.admits(gateway)) return true;
    this.counters.putOff++;
    const message = 'there are as many gateways as "ingest.gateways" allows; others have to wait';
    this.refuse('FLEETLOG_NAMES_LIMIT', message, { gateway });
    return false;
  }

  private push(arrival: Arrival): void {
    this.queue.push(arrival);
    this.arrived.set();
    if (this.queue.hasRoom || this.fullSinceUs !== undefined) return;
    this.fullSinceUs = this.options.clock.monotonicUs();
    this.watching ??= this.watchStall().finally(() => (this.watching = undefined));
  }

  private async watchStall(): Promise<void> {
    const { signal } = this.closing;
    while (this.fullSinceUs !== undefined && !this.isStalled && !signal.aborted) {
      await this.options.clock.sleep(stalledMs / 4, signal).catch(() => undefined); // the loop looks at the signal
    }
    if (this.isStalled) this.readable.set();
  }

  private async run(sink: AckSink): Promise<void> {
    for (;;) {
      while (this.queue.isEmpty) {
        if (this.closing.signal.aborted) return;
        await this.arrived.wait();
      }
      const { room } = this.options;
      if (room?.isFull) await room.whenRoom(this.closing.signal);
      if (room?.isFull) return; // stopping: what waits isn't acknowledged, and comes again
      const arrivals = this.queue.take(groupBytesMax);
      const group = await this.commit(arrivals);
      if (!group) return;
      this.count(group);
      group.finish().sendTo(sink);
      this.queue.release(arrivals);
      if (!this.queue.hasRoom || this.fullSinceUs === undefined) continue;
      this.fullSinceUs = undefined;
      this.readable.set();
    }
  }

  /** Undefined where the process ends before the log takes it: nothing of it is acknowledged then. */
  private async commit(arrivals: readonly Arrival[]): Promise<CommitGroup | undefined> {
    const { log, clock } = this.options;
    const keys = new Set<string>();
    for (const arrival of arrivals) if (arrival.type !== 'status') keys.add(arrival.key);
    const sets = await this.untilDone(() => this.cache.load(keys));
    if (!sets) return undefined;
    const unknown = await this.untilDone(() => this.unknownStreams(arrivals, sets));
    if (!unknown) return undefined;
    const group = new CommitGroup(
      sets,
      this.limits.rangesPerStreamMax,
      clock.nowUs(),
      (gateway) => log.partitionOf(gateway),
      (arrival) => this.isTooNew(arrival, unknown),
    );
    for (const arrival of arrivals) group.add(arrival);
    const { entries, notes } = group;
    if (entries.length + notes.length > 0 && !(await this.untilDone(() => log.append(entries, notes)))) {
      return undefined;
    }
    this.cache.keep(sets);
    return group;
  }

  /** Keys of the streams that these arrivals would begin. */
  private async unknownStreams(
    arrivals: readonly Arrival[],
    sets: ReadonlyMap<string, RangeSet>,
  ): Promise<Set<string>> {
    const { log } = this.options;
    const asked = new Map<string, StreamIdentity>();
    for (const arrival of arrivals) {
      const stream = streamBegunBy(arrival);
      if (!stream) continue;
      const key = arrival.type === 'batch' ? arrival.key : heldKey(stream);
      if (!sets.get(key)?.rangeCount) asked.set(key, stream);
    }
    const unknown = new Set<string>();
    await Promise.all(
      Array.from(asked, async ([key, stream]) => {
        if (!(await log.note(key)) && !(await log.note(announcedKey(stream)))) unknown.add(key);
      }),
    );
    return unknown;
  }

  /** `unknown`: without those that may begin, afterwards. */
  private isTooNew(arrival: Arrival, unknown: Set<string>): boolean {
    const stream = unknown.size > 0 ? streamBegunBy(arrival) : undefined;
    if (!stream || !unknown.has(heldKey(stream))) return false;
    if ((arrival.type === 'batch' && arrival.isImport) || this.newStreams.admits(stream.gateway)) {
      unknown.delete(heldKey(stream));
      return false;
    }
    const message =
      'a gateway begins more streams in a day than "ingest.newStreams" allows; new ones wait in its buffer';
    const { gateway, epoch, stream: name } = stream;
    this.refuse('FLEETLOG_NAMES_LIMIT', message, { gateway, epoch, stream: name });
    return true;
  }

  private async untilDone<T>(action: () => Promise<T>): Promise<T | undefined> {
    const { clock, logger } = this.options;
    const { signal } = this.closing;
    for (let attempt = 1; ; attempt++) {
      try {
        const result = await action();
        if (attempt > 1) logger.info({ attempt }, 'The log takes batches again.');
        return result;
      } catch (error) {
        if (!isFleetlogError(error)) throw error;
        logger.error(
          { code: error.code, attempt },
          `${error.message} Nothing is acknowledged; trying again.`,
        );
        if (signal.aborted) return undefined;
        const backOffMs = Math.min(retryMsMax, retryMsMin * 2 ** (attempt - 1));
        await clock.sleep(backOffMs, signal).catch(() => undefined); // stopping: once more, at once
      }
    }
  }

  private count({ entries, records, bytes, duplicates, putOff }: CommitGroup): void {
    const { counters } = this;
    counters.batches += entries.length;
    counters.records += records;
    counters.bytes += bytes;
    counters.duplicates += duplicates;
    counters.putOff += putOff;
  }
}

type StreamIdentity = Omit<BatchIdentity, 'sequence'>;

/** The stream that an arrival would begin where nobody knows it yet. */
const streamBegunBy = (arrival: Arrival): StreamIdentity | undefined => {
  if (arrival.type === 'batch') return arrival.batch;
  return arrival.type === 'status' ? arrival.begins : undefined;
};
