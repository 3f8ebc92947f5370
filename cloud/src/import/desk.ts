import { identifyBatch, type BatchIdentity } from '@fleetlog/shared/batch';
import { FleetlogError } from '@fleetlog/shared/errors';
import type { Ack } from '@fleetlog/shared/topics';
import type { Clock } from '@fleetlog/shared/util';
import type { AckSink } from '../ingest/acks.js';
import type { Fleet } from '../ingest/fleet.js';

/** What became of batches that were handed in. */
export interface Imported {
  /** In the log now. */
  added: number;
  /** In the log before. */
  known: number;
}

/** Takes batches as if a gateway had sent them. */
export interface BatchTaker extends Pick<Fleet, 'held'> {
  batch(gateway: string, stream: string, bytes: Uint8Array, isImport: boolean): void;
}

interface Waiting {
  missing: Set<number>;
  done: (error?: FleetlogError) => void;
}

const timeoutMs = 60_000;
const looksPerSending = 15;

/**
 * Hands batches of old recordings to ingest and waits for its acknowledgement, which comes when they are durable: the
 * same checks, the same ranges, the same barrier as for those of gateways. Stands between ingest and the broker, so that
 * no gateway hears of batches that it didn't send.
 */
export class ImportDesk implements AckSink {
  private readonly waiting = new Map<string, Set<Waiting>>();

  constructor(
    private readonly ingest: BatchTaker,
    private readonly gateways: AckSink,
    private readonly clock: Clock,
    /** Looked at as well where another process may be who acknowledges; ms. */
    private readonly lookEveryMs = Infinity,
  ) {}

  acknowledge(gateway: string, ack: Ack): void {
    if (this.waiting.size === 0) return this.gateways.acknowledge(gateway, ack);
    let isOurs = false;
    for (const [stream, { held, refused = [] }] of Object.entries(ack.streams)) {
      for (const one of this.waiting.get(keyOf({ gateway, epoch: ack.epoch, stream })) ?? []) {
        isOurs = true;
        const refusal = refused.find(({ sequence }) => one.missing.has(sequence));
        if (refusal)
          one.done(new FleetlogError('FLEETLOG_USAGE', `The log refused a batch: ${refusal.reason}`));
        for (let i = 0; i < held.length; i += 2) {
          for (const sequence of one.missing) {
            if (sequence >= held[i] && sequence <= held[i + 1]) one.missing.delete(sequence);
          }
        }
        if (one.missing.size === 0) one.done();
      }
    }
    if (!isOurs) this.gateways.acknowledge(gateway, ack);
  }

  /**
   * Resolves when all of these batches, which are of one stream and epoch, are in the log.
   * Errors: FLEETLOG_USAGE for batches that aren't, or that the log refuses; FLEETLOG_BUSY where it takes too long.
   */
  async take(gateway: string, stream: string, batches: readonly Uint8Array[]): Promise<Imported> {
    const identities = batches.map((bytes) => identifyBatch(bytes));
    const [first] = identities;
    if (!first) throw notOne();
    const missing = new Set<number>();
    for (const one of identities) {
      if (one?.gateway !== gateway || one.stream !== stream || one.epoch !== first.epoch) throw notOne();
      missing.add(one.sequence);
    }
    const known = await this.known(first, missing);
    await this.durable(first, missing, () => {
      for (const bytes of batches) this.ingest.batch(gateway, stream, bytes, true);
    });
    return { added: batches.length - known, known };
  }

  private async known(first: BatchIdentity, sequences: ReadonlySet<number>): Promise<number> {
    const { gateway, stream, epoch } = first;
    let known = 0;
    for await (const { epoch: life, held } of this.ingest.held({ gateway, stream })) {
      if (life !== epoch) continue;
      for (const sequence of sequences) if (held.covers(sequence, sequence)) known++;
    }
    return known;
  }

  private async durable(first: BatchIdentity, missing: Set<number>, send: () => void): Promise<void> {
    const key = keyOf(first);
    const all = this.waiting.get(key) ?? new Set();
    this.waiting.set(key, all);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const one: Waiting = { missing, done: (error) => (error ? reject(error) : resolve()) };
    all.add(one);
    const ended = new AbortController();
    const late = this.clock.sleep(timeoutMs, ended.signal).then(
      () =>
        one.done(new FleetlogError('FLEETLOG_BUSY', 'The log takes nothing at the moment; try again later.')),
      () => undefined, // all came
    );
    const looking = this.look(first, one, send, ended.signal);
    try {
      send();
      await promise;
    } finally {
      all.delete(one);
      if (all.size === 0) this.waiting.delete(key);
      ended.abort(new Error('no longer waited for'));
      await looking;
      await late;
    }
  }

  /** What is in the log was taken, whoever said so; what isn't for a while is sent again, as gateways do. */
  private async look(
    first: BatchIdentity,
    one: Waiting,
    send: () => void,
    ended: AbortSignal,
  ): Promise<void> {
    const { lookEveryMs } = this;
    for (let looks = 1; lookEveryMs !== Infinity && !ended.aborted; looks++) {
      await this.clock.sleep(lookEveryMs, ended).catch(() => undefined); // the loop looks at the signal
      if (looks % looksPerSending === 0) send();
      const { gateway, stream, epoch } = first;
      for await (const sequences of this.ingest.held({ gateway, stream })) {
        if (sequences.epoch !== epoch) continue;
        for (const sequence of one.missing) {
          if (sequences.held.covers(sequence, sequence)) one.missing.delete(sequence);
        }
      }
      if (one.missing.size === 0) one.done();
    }
  }
}

const keyOf = ({ gateway, epoch, stream }: Omit<BatchIdentity, 'sequence'>): string =>
  `${gateway}/${epoch}/${stream}`;

const notOne = (): FleetlogError =>
  new FleetlogError(
    'FLEETLOG_USAGE',
    'The batches must be of one stream and epoch, of the gateway that is named.',
  );
