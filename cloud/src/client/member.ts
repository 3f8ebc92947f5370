import { isFleetlogError } from '@fleetlog/shared/errors';
import type { Clock } from '@fleetlog/shared/util';
import type { ConsumeOrder } from '../api/consume-order.js';
import type { ApiClient } from './api-client.js';
import { readEvent, type WireEvent } from './events.js';
import { SequenceReader } from './sequence-reader.js';

export interface MemberRequest {
  group: string;
  from?: string | undefined;
  gateways?: readonly string[] | undefined;
  streams?: readonly string[] | undefined;
  untilEnd?: boolean | undefined;
  decode?: 'ndjson' | 'candump' | 'signals' | undefined;
  times?: string | undefined;
  order?: ConsumeOrder | undefined;
  /** A length of time, such as `30s`. */
  wait?: string | undefined;
}

/** The cloud counts a member as dead that it hasn't heard of for so long. */
const silenceSeconds = 15;
const beatMs = 4000;
/** Commits come in no closer succession: each costs the log a barrier. */
const commitMsMin = 100;
const silenceMsMax = 45_000;

/** One connection as a member of a group: from joining to its end. */
export class MemberConnection {
  private readonly done = new Map<number, number>();
  private readonly connection = new AbortController();
  private readonly leaving = new AbortController();
  private beating: Promise<void> | undefined;
  private id: string | undefined;
  private posting: Promise<void> | undefined;
  private isDirty = false;
  private failure: unknown;

  constructor(
    private readonly api: ApiClient,
    private readonly clock: Clock,
    private readonly request: MemberRequest,
  ) {}

  /** What is before `next` is finished: committed soon, together with what is finished meanwhile. */
  finish(partition: number, next: number): void {
    this.done.set(partition, next);
    this.isDirty = true;
    this.posting ??= this.postAll().finally(() => (this.posting = undefined));
  }

  /**
   * Commits what was finished, and leaves the group. Errors: those of the API, where something of it isn't durable;
   * it comes again then.
   */
  async close(): Promise<void> {
    this.leaving.abort();
    await this.posting;
    this.connection.abort();
    await this.beating;
    if (this.failure !== undefined) throw this.failure as Error;
  }

  /** Ends with `untilEnd`, or quietly by the signal; the group waits for `close`. Errors: those of the API. */
  async *events(signal: AbortSignal): AsyncGenerator<WireEvent> {
    const { group, from, gateways, streams, untilEnd, decode, times, order, wait } = this.request;
    const query = {
      group,
      from,
      gateway: gateways,
      stream: streams,
      decode,
      times,
      order,
      wait,
      format: 'cbor',
      silence: String(silenceSeconds),
      ...(untilEnd && { untilEnd: 'true' }),
    };
    const { chunks } = await this.api.stream('/v1/consume', query, {
      silenceMsMax,
      signal: this.connection.signal,
    });
    const reader = new SequenceReader();
    const incoming = chunks[Symbol.asyncIterator]();
    for (;;) {
      const chunk = await nextUnlessAborted(incoming, signal);
      if (!chunk || chunk.done) return;
      for (const item of reader.take(chunk.value)) {
        const event = readEvent(item);
        if (event.event === 'end') return;
        if (event.event === 'joined') {
          this.id = event.member;
          this.beating = this.beat();
        } else if (event.event === 'lost') this.done.delete(event.partition);
        yield event;
        if (signal.aborted) return;
      }
    }
  }

  private async beat(): Promise<void> {
    const { signal } = this.connection;
    while (!signal.aborted) {
      await this.clock.sleep(beatMs, signal).catch(() => undefined); // the loop looks at the signal
      if (signal.aborted) return;
      this.isDirty = true;
      this.posting ??= this.postAll().finally(() => (this.posting = undefined));
      await this.posting;
    }
  }

  private async postAll(): Promise<void> {
    while (this.isDirty) {
      // What is finished meanwhile goes together; who leaves doesn't wait.
      await this.clock.sleep(commitMsMin, this.leaving.signal).catch(() => undefined);
      this.isDirty = false;
      const next = Object.fromEntries(this.done);
      this.done.clear();
      try {
        await this.api.post(`/v1/groups/${this.request.group}/members/${this.id}/commit`, { next });
        this.failure = undefined;
      } catch (error) {
        // The connection tells what became of the member; what isn't committed comes again.
        if (!isFleetlogError(error)) throw error;
        this.failure = error;
      }
    }
  }
}

async function nextUnlessAborted<T>(
  items: AsyncIterator<T>,
  signal: AbortSignal,
): Promise<IteratorResult<T> | undefined> {
  if (signal.aborted) return undefined;
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const stop = (): void => resolve(undefined);
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([items.next(), promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
