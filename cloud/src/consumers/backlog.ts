import type { Clock } from '@fleetlog/shared/util';
import type { Fleet } from '../ingest/fleet.js';
import type { ConsumeFilter } from './types.js';

/** Announced so long ago and not in the log yet: more than what is on its way at any moment. */
const backlogMs = 1000;
/** A gateway that ends says so in a status of that moment; a last will was written when the connection began. */
const partingMs = 1000;

interface Pending {
  gateway: string;
  stream: string;
  /** Behind the last sequence that was announced when it was looked at. */
  next: number;
  sinceUs: number;
  lastSeenUs: number;
}

/** What gateways have announced and the log hasn't got: whoever wants batches in order waits for it. */
export class Backlog {
  private pending = new Map<string, Pending>();
  /** Gateways whose connection broke, and when they were last heard of: who knows what they have recorded since. */
  private lost = new Map<string, number>();

  constructor(
    private readonly fleet: Pick<Fleet, 'held' | 'presence'>,
    private readonly clock: Clock,
  ) {}

  /** Compares what gateways announced with what the log holds. */
  async look(): Promise<void> {
    const nowUs = this.clock.nowUs();
    const found = new Map<string, Pending>();
    const lost = new Map<string, number>();
    for (const { gateway, connected, status, lastSeenUs } of this.fleet.presence()) {
      // A clock that is wrong makes a goodbye look like a loss, and costs a wait.
      const isLost = !connected && status && Math.abs(lastSeenUs - status.timeUs) > partingMs * 1000;
      if (isLost) lost.set(gateway, lastSeenUs);
      const buffered = Object.entries(status?.streams ?? {}).filter(([, { first, next }]) => first < next);
      if (!status || buffered.length === 0) continue;
      const streams = new Map(buffered);
      const missing = new Map(buffered.map(([stream, { first }]) => [stream, first as number | undefined]));
      for await (const { epoch, stream, held } of this.fleet.held({ gateway })) {
        const range = streams.get(stream);
        if (!range || epoch !== status.epoch) continue;
        const [hole] = held.holes(range.first, range.next - 1);
        missing.set(stream, hole?.[0]);
      }
      for (const [stream, first] of missing) {
        if (first === undefined) continue;
        const before = this.pending.get(`${gateway}/${stream}`);
        const isNew = !before || first >= before.next;
        // What comes back from a broken connection has been waited for already.
        const sinceUs = this.lost.has(gateway) ? -Infinity : isNew ? nowUs : before.sinceUs;
        const { next } = streams.get(stream)!;
        found.set(`${gateway}/${stream}`, { gateway, stream, next, sinceUs, lastSeenUs });
      }
    }
    this.pending = found;
    this.lost = lost;
  }

  /** Of these streams; a gateway that wasn't heard of for as long as the wait isn't waited for. */
  isPending({ gateways, streams }: ConsumeFilter, waitUs: number): boolean {
    const nowUs = this.clock.nowUs();
    for (const [gateway, lastSeenUs] of this.lost) {
      if (nowUs - lastSeenUs <= waitUs && (gateways?.has(gateway) ?? true)) return true;
    }
    for (const { gateway, stream, sinceUs, lastSeenUs } of this.pending.values()) {
      if (nowUs - sinceUs < backlogMs * 1000 || nowUs - lastSeenUs > waitUs) continue;
      if ((gateways?.has(gateway) ?? true) && (streams?.has(stream) ?? true)) return true;
    }
    return false;
  }
}
