import type { ErrorCode } from '@fleetlog/shared/errors';
import { isDataError } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import { Signal, type Clock } from '@fleetlog/shared/util';
import type { SharedLog } from '../log/log.js';
import type { AckSink } from './acks.js';
import type { Fleet, GatewayPresence, HeldSequences, IngestCounters } from './fleet.js';
import { heldSequences } from './held.js';
import { Ingest, type IngestOptions } from './ingest.js';
import { nameLimits } from './new-streams.js';
import { Presences } from './presences.js';
import { Refusals } from './refusals.js';

/** How processes that share a log reach each other. */
export interface Exchange extends AckSink {
  forward(partition: number, gateway: string, stream: string, bytes: Uint8Array): void;
  share(partition: number, isOurs: boolean): void;
}

export interface SharedIngestOptions extends Omit<IngestOptions, 'log'> {
  log: SharedLog;
  logger: Logger;
  clock: Clock;
}

const retryMs = 1000;

/**
 * Ingest of one of several clouds on one log: an `Ingest` for each partition that is this one's, and the batches of
 * others are sent on to whoever has their partition. What gets lost on the way, or comes to a cloud that has the
 * partition no more, isn't acknowledged, and comes again.
 */
export class SharedIngest implements Fleet, AsyncDisposable {
  readonly readable = new Signal();
  private readonly owned = new Map<number, Ingest>();
  private assigned = new Set<number>();
  /** Changes of one partition, one after the other. */
  private readonly turns = new Map<number, Promise<void>>();
  private readonly closing = new AbortController();
  private readonly refusals: Refusals;
  private readonly ended: IngestCounters;
  private exchange: Exchange | undefined;
  private acks: AckSink | undefined;
  private membership: AsyncDisposable | undefined;

  private constructor(
    private readonly options: SharedIngestOptions,
    private readonly presences: Presences,
  ) {
    this.refusals = new Refusals(options.logger, options.clock);
    const refused = this.refusals.byCode;
    this.ended = { batches: 0, records: 0, bytes: 0, duplicates: 0, putOff: 0, refused };
  }

  static async open(options: SharedIngestOptions): Promise<SharedIngest> {
    return new SharedIngest(
      options,
      await Presences.load(options.log, (options.names ?? nameLimits).gatewaysMax),
    );
  }

  /** Meets the others, and begins to take what is this one's; acknowledgements go to `acks`. */
  start(acks: AckSink, exchange: Exchange): void {
    this.acks = acks;
    this.exchange = exchange;
    this.membership = this.options.log.join((partitions) => this.assign(partitions));
  }

  get takes(): boolean {
    for (const ingest of this.owned.values()) if (!ingest.takes) return false;
    return true;
  }

  /** Whether something isn't acknowledged that the log could take. */
  get isBusy(): boolean {
    return Array.from(this.owned.values()).some((ingest) => ingest.isBusy);
  }

  get counters(): IngestCounters {
    const all = { ...this.ended, refused: { ...this.ended.refused } };
    for (const { counters } of this.owned.values()) add(all, counters);
    return all;
  }

  batch(gateway: string, stream: string, bytes: Uint8Array, isImport = false): void {
    const partition = this.options.log.partitionOf(gateway);
    const ingest = this.owned.get(partition);
    if (ingest) ingest.batch(gateway, stream, bytes, isImport);
    else if (!this.closing.signal.aborted) this.exchange?.forward(partition, gateway, stream, bytes);
  }

  /** Sent on by another cloud, which thought that its partition is here. */
  forwarded(gateway: string, stream: string, bytes: Uint8Array): void {
    const ingest = this.owned.get(this.options.log.partitionOf(gateway));
    if (ingest) ingest.batch(gateway, stream, bytes);
    else this.ended.putOff++;
  }

  /** Each cloud gets all statuses; the one that has the gateway's partition writes them down. */
  status(gateway: string, message: Uint8Array): boolean {
    const ingest = this.owned.get(this.options.log.partitionOf(gateway));
    if (ingest && !ingest.status(gateway, message)) return false;
    if (!this.presences.admits(gateway)) return true;
    try {
      this.presences.update(gateway, message, this.options.clock.nowUs());
      return true;
    } catch (error) {
      if (!isDataError(error)) throw error;
      return false; // it is counted by the cloud that has the partition
    }
  }

  refuse(code: ErrorCode, message: string, facts: object): void {
    this.refusals.count(code, message, facts);
  }

  held(filter?: { gateway?: string; stream?: string }): AsyncIterable<HeldSequences> {
    return heldSequences(this.options.log, filter);
  }

  presence(): GatewayPresence[] {
    return this.presences.all().map((presence) => {
      const receivedUs = this.options.log.lastReceivedUs(presence.gateway) ?? 0;
      return { ...presence, lastSeenUs: Math.max(presence.lastSeenUs, receivedUs) };
    });
  }

  /** Takes nothing more, commits and acknowledges what waits, and leaves its partitions to the others. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.closing.abort();
    await this.membership?.[Symbol.asyncDispose]();
    this.assign([]);
    await Promise.all(this.turns.values());
  }

  private assign(partitions: readonly number[]): void {
    const before = this.assigned;
    this.assigned = new Set(partitions);
    for (const partition of new Set([...before, ...partitions])) {
      this.inTurn(partition, () =>
        this.assigned.has(partition) ? this.enter(partition) : this.leave(partition),
      );
    }
  }

  private inTurn(partition: number, change: () => Promise<void>): void {
    const before = this.turns.get(partition) ?? Promise.resolve();
    this.turns.set(partition, before.then(change));
  }

  private async enter(partition: number): Promise<void> {
    const { logger, clock, log } = this.options;
    while (this.assigned.has(partition) && !this.owned.has(partition) && !this.closing.signal.aborted) {
      try {
        const taken = new AbortController();
        const view = await log.take(partition, () => taken.abort());
        const ingest = await Ingest.open({ ...this.options, log: view, readable: this.readable });
        taken.signal.addEventListener('abort', () => this.lost(partition, ingest));
        this.own(partition, ingest);
        if (taken.signal.aborted) this.lost(partition, ingest);
        return;
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        logger.warn({ partition }, `This cloud can't take its partition yet: ${why}`);
        await clock.sleep(retryMs, this.closing.signal).catch(() => undefined); // the loop looks at the signal
      }
    }
  }

  private own(partition: number, ingest: Ingest): void {
    this.owned.set(partition, ingest);
    if (this.acks) ingest.start(this.acks);
    this.exchange?.share(partition, true);
  }

  /** Another cloud writes to it now. Where it is assigned to this one all the same, it is taken back a little later. */
  private lost(partition: number, ingest: Ingest): void {
    this.options.logger.info({ partition }, 'Another cloud has taken a partition of the log.');
    this.inTurn(partition, async () => {
      if (this.owned.get(partition) === ingest) await this.leave(partition);
      await this.options.clock.sleep(retryMs, this.closing.signal).catch(() => undefined); // `enter` looks at it
      await this.enter(partition);
    });
  }

  private async leave(partition: number): Promise<void> {
    const ingest = this.owned.get(partition);
    if (!ingest) return;
    this.owned.delete(partition);
    this.exchange?.share(partition, false);
    await ingest[Symbol.asyncDispose]();
    add(this.ended, ingest.counters);
    this.readable.set();
  }
}

function add(sum: IngestCounters, more: IngestCounters): void {
  for (const name of ['batches', 'records', 'bytes', 'duplicates', 'putOff'] as const)
    sum[name] += more[name];
  for (const [code, count] of Object.entries(more.refused)) {
    sum.refused[code] = (sum.refused[code] ?? 0) + count;
  }
}
