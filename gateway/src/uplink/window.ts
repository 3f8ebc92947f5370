import type { RangeSet } from '@fleetlog/shared/util';
import type { Lane } from './schedule.js';

export interface WindowLimits {
  batches: number;
  bytes: number;
}

interface InFlight {
  lane: Lane;
  bytes: number;
  sentMs: number;
  /** When the broker said that it has it; the wait for the log's acknowledgement counts from here. */
  confirmedMs: number | undefined;
}

/** Part of the window that the backlog leaves to live batches: one in so many. */
const liveReserve = 8;

/** Batches sent and not yet acknowledged by the cloud, limited in number and bytes. */
export class Window {
  private readonly inFlight = new Map<string, Map<number, InFlight>>();
  batches = 0;
  bytes = 0;
  /** Batches that the broker hasn't confirmed. */
  unconfirmed = 0;
  unconfirmedBytes = 0;
  /** Those of them that are of the backlog. */
  unconfirmedBacklog = 0;

  constructor(private readonly limits: WindowLimits) {}

  get free(): number {
    return this.bytes >= this.limits.bytes ? 0 : Math.max(0, this.limits.batches - this.batches);
  }

  /** One batch always fits into an empty window, however large it is. */
  fits(bytes: number, lane: Lane): boolean {
    if (this.batches === 0) return true;
    const limits = lane === 'live' ? this.limits : this.backlogLimits;
    return this.batches < limits.batches && this.bytes + bytes <= limits.bytes;
  }

  private get backlogLimits(): WindowLimits {
    const { batches, bytes } = this.limits;
    return {
      batches: batches - Math.ceil(batches / liveReserve),
      bytes: bytes - Math.ceil(bytes / liveReserve),
    };
  }

  has(stream: string, sequence: number): boolean {
    return this.inFlight.get(stream)?.has(sequence) ?? false;
  }

  add(lane: Lane, stream: string, sequence: number, bytes: number, nowMs: number): void {
    let batches = this.inFlight.get(stream);
    if (!batches) this.inFlight.set(stream, (batches = new Map()));
    batches.set(sequence, { lane, bytes, sentMs: nowMs, confirmedMs: undefined });
    this.batches++;
    this.bytes += bytes;
    this.countUnconfirmed(1, lane, bytes);
  }

  confirmed(stream: string, sequence: number, nowMs: number): void {
    const batch = this.inFlight.get(stream)?.get(sequence);
    if (!batch || batch.confirmedMs !== undefined) return;
    batch.confirmedMs = nowMs;
    this.countUnconfirmed(-1, batch.lane, batch.bytes);
  }

  remove(stream: string, sequence: number): boolean {
    const batch = this.inFlight.get(stream)?.get(sequence);
    if (!batch) return false;
    this.inFlight.get(stream)?.delete(sequence);
    this.batches--;
    this.bytes -= batch.bytes;
    if (batch.confirmedMs === undefined) this.countUnconfirmed(-1, batch.lane, batch.bytes);
    return true;
  }

  /** Takes out what `held` covers; returns how many that were. */
  release(stream: string, held: RangeSet): number {
    let released = 0;
    for (const sequence of this.inFlight.get(stream)?.keys() ?? []) {
      if (held.has(sequence) && this.remove(stream, sequence)) released++;
    }
    return released;
  }

  /**
   * Takes out what has waited too long. A batch that the broker hasn't confirmed is perhaps still on its way through a
   * slow link, in order and reliably; sending it again would only add to that, so it gets four times as long.
   */
  expire(timeoutMs: number, nowMs: number): { lane: Lane; stream: string; sequence: number }[] {
    const expired: { lane: Lane; stream: string; sequence: number }[] = [];
    for (const [stream, batches] of this.inFlight) {
      for (const [sequence, { lane, sentMs, confirmedMs }] of batches) {
        const waitedMs = confirmedMs === undefined ? (nowMs - sentMs) / 4 : nowMs - confirmedMs;
        if (waitedMs >= timeoutMs) expired.push({ lane, stream, sequence });
      }
    }
    for (const { stream, sequence } of expired) this.remove(stream, sequence);
    return expired;
  }

  private countUnconfirmed(count: 1 | -1, lane: Lane, bytes: number): void {
    this.unconfirmed += count;
    this.unconfirmedBytes += count * bytes;
    if (lane === 'backlog') this.unconfirmedBacklog += count;
  }
}
