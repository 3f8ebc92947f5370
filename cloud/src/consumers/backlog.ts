import type { Clock } from '@fleetlog/shared/util';
import type { Fleet } from '../ingest/fleet.js';
import type { ConsumeFilter } from './types.js';

/** Announced so long ago and not in the log yet: more than what is on its way at any moment. */
const backlogMs = 1000;

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

  constructor(
    private readonly fleet: Pick<Fleet, 'held' | 'presence'>,
    private readonly clock: Clock,
  ) {}

  /** Compares what gateways announced with what the log holds. */
  async look(): Promise<void> {
    const nowUs = this.clock.nowUs();
    const found = new Map<string, Pending>();
    for (const { gateway, status, lastSeenUs } of this.fleet.presence()) {
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
        const sinceUs = before && first < before.next ? before.sinceUs : nowUs;
        const { next } = streams.get(stream)!;
        found.set(`${gateway}/${stream}`, { gateway, stream, next, sinceUs, lastSeenUs });
      }
    }
    this.pending = found;
  }

  /** Of these streams; a gateway that wasn't heard of for as long as the wait isn't waited for. */
  isPending({ gateways, streams }: ConsumeFilter, waitUs: number): boolean {
    const nowUs = this.clock.nowUs();
    for (const { gateway, stream, sinceUs, lastSeenUs } of this.pending.values()) {
      if (nowUs - sinceUs < backlogMs * 1000 || nowUs - lastSeenUs > waitUs) continue;
      if ((gateways?.has(gateway) ?? true) && (streams?.has(stream) ?? true)) return true;
    }
    return false;
  }
}
